import pytest

from engine.scripts import has_letters, is_unspaced, join_texts, language_by_script, locate_words
from engine.transcript import Word


def word(text: str) -> Word:
    return Word(start=0, end=0, text=text)


def test_words_are_located_only_where_they_spell_every_letter_of_the_text() -> None:
    assert locate_words([word("Well,"), word("well")], "Well, well!") == (range(5), range(6, 10))
    assert locate_words([word("well")], "Well, well!") == ()
    assert locate_words([word("Well"), word("no")], "Well, well!") == ()
    assert locate_words([word("Well")], "Well, well!") == ()


def test_texts_are_joined_with_spaces_only_where_their_script_has_them() -> None:
    assert join_texts(["你好", "世界。", "Hello", "world", "再见"]) == "你好世界。Hello world 再见"
    assert join_texts(["好。", "Yes"]) == "好。Yes"
    assert join_texts(["", "a", "", "b"]) == "a b"


@pytest.mark.parametrize("character", "好々〇㐀豈𠀀あアーｱＡ１。、「！")  # noqa: RUF001 - full-width forms
def test_these_characters_have_no_spaces_around_words(character: str) -> None:
    assert is_unspaced(character)


@pytest.mark.parametrize("character", "aZ1é.,! 한กж")
def test_these_characters_have_spaces_around_words(character: str) -> None:
    assert not is_unspaced(character)


def test_only_letters_and_digits_of_any_script_count_as_letters() -> None:
    assert [has_letters(text) for text in ("a", "?1", "好", "。", " -", "")] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello.", "en"),
        ("你好", "zh"),
        ("きょう", "ja"),
        ("今日はいい", "ja"),
        ("用 Python", "zh"),
        ("ﾊﾛｰ", "ja"),
        ("𠀀", "zh"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert language_by_script(text) == language
