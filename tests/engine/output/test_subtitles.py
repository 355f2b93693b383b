import re
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from engine.output.subtitles import MAX_CUE_MS, MIN_CUE_MS, Cue, make_cues, to_single_line
from engine.transcript import Segment, Word

COLUMNS = 42
JFK = "And so, my fellow Americans: ask not what your country can do for you; ask what you can do for your country."
CHINESE = "今天的会议改到下午三点，请大家提前十分钟到场，并且带上昨天的报告。如果来不了，请告诉我。"  # noqa: RUF001 - the marks themselves


def cut(*segments: Segment, names: bool = False) -> list[Cue]:
    return make_cues(segments, names=names)


def said(text: str, start: float = 0, end: float = 10, speaker: str | None = None, **words: float) -> Segment:
    timed = tuple(Word(start=at, end=at + 0.4, text=word) for word, at in words.items())
    return Segment(start=start, end=end, text=text, speaker=speaker, words=timed)


def test_a_short_segment_is_one_line_at_its_own_times() -> None:
    assert cut(said("Hello, world.", 0.07, 2.34)) == [Cue(70, 2340, None, ("Hello, world.",))]


def test_two_lines_are_about_equal_and_break_at_a_clause() -> None:
    (cue,) = cut(said("I have no idea where she went, but she is not in the kitchen.", 0, 5))
    assert cue.lines == ("I have no idea where she went,", "but she is not in the kitchen.")


def test_a_long_segment_is_cut_at_the_end_of_a_sentence_or_a_clause() -> None:
    found = cut(said(JFK, 0, 10))
    assert [cue.lines for cue in found] == [
        ("And so, my fellow Americans:", "ask not what your country can do for you;"),
        ("ask what you can do for your country.",),
    ]
    assert (found[0].start_ms, found[-1].end_ms) == (0, 10_000)


def test_chinese_has_half_as_many_characters_in_a_line_and_none_begins_with_a_mark() -> None:
    found = cut(said(CHINESE, 0, 9))
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == CHINESE
    assert max(map(len, lines)) <= 21
    assert not re.search(r"^[，。]", "\n".join(lines), re.MULTILINE)  # noqa: RUF001 - the marks themselves


def test_cues_start_and_end_with_their_words() -> None:
    text = said("Wait here. Come now, please.", 0, 14, Wait=0.5, here=1.1, Come=9.0, now=9.6, please=10.4)
    first, second = cut(text)
    assert first == Cue(500, 1500, None, ("Wait here.",))
    assert second == Cue(9000, 10_800, None, ("Come now, please.",))


def test_without_words_times_are_interpolated_by_characters() -> None:
    found = cut(said("aaaa bbbb. cccc dddd.", 10, 20))
    assert [cue.lines for cue in found] == [("aaaa bbbb.",), ("cccc dddd.",)]
    assert found[0].end_ms == pytest.approx(14_500, abs=500)


def test_a_word_longer_than_the_longest_cue_is_shown_for_that_time() -> None:
    assert cut(said("Aaah!", 0, 30)) == [Cue(0, MAX_CUE_MS, None, ("Aaah!",))]


def test_a_short_cue_stays_for_a_second_where_nothing_follows() -> None:
    first, second = cut(said("Yes.", 1, 1.2), said("No.", 1.6, 1.7))
    assert (first.start_ms, first.end_ms) == (1000, 1600)
    assert (second.start_ms, second.end_ms) == (1600, 2600)


def test_cues_overlap_only_between_speakers() -> None:
    found = cut(said("One.", 0, 5, "A"), said("Two.", 1, 3, "B"), said("Three.", 4, 6, "A"), names=True)
    assert [(cue.lines[0], cue.start_ms, cue.end_ms) for cue in found] == [
        ("A: One.", 0, 4000),
        ("B: Two.", 1000, 3000),
        ("A: Three.", 4000, 6000),
    ]


def test_a_word_longer_than_a_line_is_broken() -> None:
    (cue,) = cut(said("a" * 60, 0, 5))
    assert cue.lines == ("a" * 42, "a" * 18)


def test_a_line_holds_the_name_as_well() -> None:
    for cue in cut(said(JFK, 0, 11, "Speaker 1"), names=True):
        assert cue.lines[0].startswith("Speaker 1: ")
        assert max(map(len, cue.lines)) <= COLUMNS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Maximilian Schwarz", "Maximilian Schwarz"),
        ("Maximilian Schwarzer", "Maximilian Schwarz…"),
        ("Maria Magdalena de la Cruz", "Maria Magdalena de…"),
        ("张三张三张三张三张", "张三张三张三张三张"),
        ("张三张三张三张三张三", "张三张三张三张三张…"),
    ],
)
@pytest.mark.parametrize("text", [JFK, CHINESE, "a" * 60])
def test_a_long_name_leaves_the_text_half_a_line(name: str, shown: str, text: str) -> None:
    found = cut(said(text, 0, 11, name), names=True)
    for cue in found:
        assert (cue.speaker, cue.lines[0].startswith(f"{shown}: ")) == (name, True)
        assert max(map(columns, cue.lines)) <= COLUMNS
    assert letters("".join("".join(cue.lines).removeprefix(f"{shown}: ") for cue in found)) == letters(text)


def test_a_text_without_anything_to_show_has_no_cue() -> None:
    assert cut(said(" \x00\n"), said("")) == []


times = st.floats(0, 10_000)
texts = st.lists(
    st.sampled_from([*JFK.split(), *CHINESE, "ー", "—", "안녕하세요", "-->", "é", "x" * 50, "42"]), max_size=80
)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    words = draw(texts)
    start = draw(times)
    speaker = draw(st.sampled_from([None, "Speaker 1", "Анна", "张三", "Максимилиан " * 9]))
    text = draw(st.sampled_from([" ", ""])).join(words)
    if not draw(st.booleans()):
        return Segment(start=start, end=start + draw(st.floats(0, 60)), text=text, speaker=speaker)
    moments = draw(st.lists(st.floats(-1, 60), min_size=2 * len(words), max_size=2 * len(words)))
    timed = tuple(
        Word(start=start + begin, end=start + end, text=word)
        for word, begin, end in zip(words, moments[::2], moments[1::2], strict=True)
    )
    return Segment(start=start, end=start + 60, text=text, speaker=speaker, words=timed)


@given(st.lists(segments(), max_size=5), st.booleans())
def test_cues_hold_all_that_was_said_in_few_short_lines(spoken: list[Segment], names: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    found = make_cues(spoken, names=names)
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < columns(line) <= COLUMNS and line == line.strip() for line in cue.lines)
        assert 0 < cue.end_ms - cue.start_ms <= MAX_CUE_MS
    assert [cue.start_ms for cue in found] == sorted(cue.start_ms for cue in found)
    for speaker in {cue.speaker for cue in found}:
        own = [cue for cue in found if cue.speaker == speaker]
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(own))
        assert all(
            before.end_ms - before.start_ms >= MIN_CUE_MS or before.end_ms == after.start_ms
            for before, after in pairwise(own)
        )
    assert sorted(letters(line.removeprefix(f"{cue.speaker}: ")) for cue in found for line in cue.lines) or not any(
        letters(to_single_line(segment.text)) for segment in spoken
    )


@given(segments())
def test_the_lines_of_one_segment_are_its_text(segment: Segment) -> None:
    lines = [line for cue in make_cues([segment], names=False) for line in cue.lines]
    assert letters("".join(lines)) == letters(to_single_line(segment.text))


def columns(line: str) -> int:
    return sum(2 if re.match(r"[\u1100-\u11ff\u2e80-\uffef]", character) else 1 for character in line)


def letters(text: str) -> str:
    return "".join(text.split())


def test_two_chinese_lines_are_about_equal() -> None:
    (cue,) = cut(said("今天的会议改到下午三点请大家提前十分钟到场并且带上昨天的报告", 0, 6))
    assert len(cue.lines) == 2
    assert abs(len(cue.lines[0]) - len(cue.lines[1])) <= 1
