"""Brings a text with its marks and capitals together with the bare words, or parts of words, whose times are known."""

from collections.abc import Iterable
from dataclasses import replace

from engine.transcript import Word

TORN = "\ufffd"  # what is left of a character whose bytes are spread over several parts


def align_words(text: str, heard: Iterable[Word]) -> tuple[Word, ...]:
    """Give the words of `text` the times of `heard`; none where the two are not the same words."""
    words: list[Word] = []
    torn: Word | None = None
    done = 0
    for part in heard:
        bare = part.text.strip()
        if TORN in bare:
            torn = replace(torn or part, end=part.end)
            continue
        if not _is_spoken(bare):
            continue
        begin = text.lower().find(bare.lower(), done)
        if begin < 0 or not _take_between(words, text[done:begin], torn):
            return ()
        done = begin + len(bare)
        _take(words, replace(part, text=text[begin:done]))
        torn = None
    if not _take_between(words, text[done:], torn):
        return ()
    return tuple(replace(word, text=word.text.strip()) for word in words if _is_spoken(word.text))


def _take(words: list[Word], word: Word) -> None:
    """Add a word, or the rest of one that is written together with it."""
    if words and _are_one(words[-1].text, word.text):
        words[-1] = replace(words[-1], end=word.end, text=words[-1].text + word.text)
    elif words and not _is_spoken(words[-1].text):
        words[-1] = replace(word, text=words[-1].text + word.text)
    else:
        words.append(word)


def _take_between(words: list[Word], text: str, torn: Word | None) -> bool:
    """Put marks to the word before them; tell whether no word is among them that nobody heard."""
    if _is_spoken(text):
        if torn is None:
            return False
        _take(words, replace(torn, text=text))
    elif words:
        words[-1] = replace(words[-1], text=words[-1].text + text)
    elif text:
        words.append(Word(start=0.0, end=0.0, text=text))
    return True


def _is_spoken(text: str) -> bool:
    return any(map(str.isalnum, text))


def _are_one(before: str, after: str) -> bool:
    return _has_spaces_around_words(before[-1:]) and _has_spaces_around_words(after[:1])


def _has_spaces_around_words(character: str) -> bool:
    return character.isalnum() and not is_han_or_kana(character)


def is_han_or_kana(character: str) -> bool:
    """Tell whether a character is of a script without spaces."""
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"


def language_by_script(text: str) -> str:
    """Tell Japanese, Chinese and English apart, for a model that reads them and does not say which."""
    if any("\u3040" <= character <= "\u30ff" for character in text):
        return "ja"
    return "zh" if any(map(is_han_or_kana, text)) else "en"
