from engine.scripts import join_texts, locate_words
from engine.transcript import Word


def word(text: str) -> Word:
    return Word(start=0, end=0, text=text)


def test_located_words_leave_nothing_out_that_is_said() -> None:
    assert locate_words([word("Well,"), word("well")], "Well, well!") == (range(5), range(6, 10))
    assert locate_words([word("well")], "Well, well!") == ()
    assert locate_words([word("Well"), word("no")], "Well, well!") == ()


def test_texts_are_joined_as_their_script_does() -> None:
    assert join_texts(["你好", "世界。", "Hello", "world", "再见"]) == "你好世界。Hello world 再见"
    assert join_texts(["", "a", "", "b"]) == "a b"
