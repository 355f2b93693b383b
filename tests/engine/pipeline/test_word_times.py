import pytest
from hypothesis import given, strategies as st

from engine.pipeline.word_times import align_words, language_by_script
from engine.transcript import Word

LETTERS = st.text("abcxyz", min_size=1, max_size=5)
MARKS = st.sampled_from([" ", ", ", "! ", " - ", ". "])


def heard(*parts: str) -> tuple[Word, ...]:
    return tuple(Word(start=number, end=number + 1, text=part) for number, part in enumerate(parts))


@pytest.mark.parametrize(
    ("text", "parts", "words"),
    [
        ("Hello, big world.", ("hello", "big", "world"), ("Hello,", "big", "world.")),
        ("你好。世界!", ("你", "好", "世", "界"), ("你", "好。", "世", "界!")),
        ("用 Python 写。", ("用", "python", "写"), ("用", "Python", "写。")),
        ("Earshot hears", (" Ear", "shot", " he", "ars"), ("Earshot", "hears")),
        ("“Yes.”", ("yes",), ("“Yes.”",)),
        ("好\u9f98了", ("好", "\ufffd", "\ufffd", "了"), ("好", "\u9f98", "了")),
        ("Fine.", ("fine", "."), ("Fine.",)),
        ("", (), ()),
    ],
)
def test_words_are_those_of_the_text(text: str, parts: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert tuple(word.text for word in align_words(text, heard(*parts))) == words


def test_a_word_in_parts_lasts_from_its_first_to_its_last() -> None:
    (word, other) = align_words("Earshot hears", heard(" Ear", "shot", " hears"))
    assert (word.start, word.end, other.start, other.end) == (0, 2, 2, 3)


@pytest.mark.parametrize("parts", [("hello",), ("hello", "moon"), ("world", "hello"), ()])
def test_other_words_have_no_times(parts: tuple[str, ...]) -> None:
    assert align_words("hello world", heard(*parts)) == ()


@given(st.lists(st.tuples(LETTERS, MARKS), max_size=8))
def test_every_word_keeps_its_time_whatever_stands_between(said: list[tuple[str, str]]) -> None:
    text = "".join(word.title() + mark for word, mark in said)
    words = align_words(text, heard(*(word for word, _ in said)))
    assert [word.start for word in words] == list(range(len(said)))
    assert "".join("".join(word.text.split()) for word in words) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "language"),
    [("Hello.", "en"), ("你好", "zh"), ("きょう", "ja"), ("今日はいい", "ja"), ("用 Python", "zh")],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert language_by_script(text) == language
