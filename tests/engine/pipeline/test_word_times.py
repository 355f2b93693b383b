import pytest
from hypothesis import given, strategies as st

from engine.pipeline.word_times import align_words
from engine.transcript import Word

LETTERS = st.text("abcxyz", min_size=1, max_size=5)
MARKS = st.sampled_from([" ", ", ", "! ", " - ", ". "])


def tokens(*parts: str) -> tuple[Word, ...]:
    return tuple(Word(start=number, end=number + 1, text=part) for number, part in enumerate(parts))


@pytest.mark.parametrize(
    ("text", "parts", "words"),
    [
        ("Hello, big world.", ("hello", "big", "world"), ("Hello,", "big", "world.")),
        ("你好。世界!", ("你", "好", "世", "界"), ("你", "好。", "世", "界!")),
        ("用 Python 写。", ("用", "python", "写"), ("用", "Python", "写。")),
        ("\uff23\uff24\uff11 です", ("\uff23", "\uff24", "\uff11", "で", "す"), ("\uff23\uff24\uff11", "で", "す")),
        ("Earshot hears", (" Ear", "shot", " he", "ars"), ("Earshot", "hears")),
        ("“Yes.”", ("yes",), ("“Yes.”",)),
        ("好\u9f98了", ("好", "\ufffd", "\ufffd", "了"), ("好", "\u9f98", "了")),
        ("Fine.", ("fine", "."), ("Fine.",)),
        ("日々是", ("日", "々", "是"), ("日", "々", "是")),
        ("ﾊﾛｰ", ("ﾊ", "ﾛ", "ｰ"), ("ﾊ", "ﾛ", "ｰ")),
        ("", (), ()),
    ],
)
def test_words_are_spelled_as_in_the_text(text: str, parts: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert tuple(word.text for word in align_words(text, tokens(*parts))) == words


def test_a_word_of_several_tokens_lasts_from_the_first_to_the_last() -> None:
    (word, other) = align_words("Earshot hears", tokens(" Ear", "shot", " hears"))
    assert (word.start, word.end, other.start, other.end) == (0, 2, 2, 3)


@pytest.mark.parametrize("parts", [("hello",), ("hello", "moon"), ("world", "hello"), ()])
def test_tokens_that_do_not_spell_the_text_give_no_words(parts: tuple[str, ...]) -> None:
    assert align_words("hello world", tokens(*parts)) == ()


@given(st.lists(st.tuples(LETTERS, MARKS), max_size=8))
def test_every_word_keeps_its_time_with_any_marks_between(said: list[tuple[str, str]]) -> None:
    text = "".join(word.title() + mark for word, mark in said)
    words = align_words(text, tokens(*(word for word, _ in said)))
    assert [word.start for word in words] == list(range(len(said)))
    assert "".join("".join(word.text.split()) for word in words) == "".join(text.split())
