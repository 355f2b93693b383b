"""What the text of a transcript looks like: spaces, marks, Chinese characters. Pure, and the same for every model.

Between Chinese characters and a Latin word stands one space, as Chinese style guides ask for. None stands between the
characters of a script without spaces, nor beside their wide marks. Spaces around numbers stay as the model wrote them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from engine.scripts import HAN, KANA, UNSPACED, WIDE_MARKS, ChineseScript, is_unspaced, locate_words
from engine.transcript import Word

CHINESE = frozenset({"zh", "yue"})

_LATIN = "[0-9]*[A-Za-z\u00c0-\u024f]"

_is_han = re.compile(f"[{HAN}]").search
_is_kana = re.compile(f"[{KANA}]").search
_TAG = re.compile(r"<\|.*?\|>", re.DOTALL)
_NEEDLESS_SPACE = re.compile(f"(?<=[{UNSPACED}]) (?=[{UNSPACED}])|(?<=[{WIDE_MARKS}]) | (?=[{WIDE_MARKS}])")
_BEFORE_LATIN = re.compile(f"(?<=[{HAN}])(?={_LATIN})")
_AFTER_LATIN = re.compile(rf"(?<![0-9A-Za-z\u00c0-\u024f])({_LATIN}[\w'’.+#&/-]*?)(?=[{HAN}])")  # noqa: RUF001 - an apostrophe
_SYMBOL = re.compile(r"[^\w\s]")

# Marks that are said, or spell a word or a number where they stand inside of it.
_SAID = frozenset("%‰&@#/\\")
_IN_NUMBERS = frozenset(".,:")
_IN_WORDS = frozenset("'’.-‐‑׳״")  # noqa: RUF001 - these are the marks themselves
_IN_ANY_SCRIPT = frozenset("·・‧")
_BEFORE_NUMBERS = frozenset("-.")
_MARK_BUT_IN_UNICODE = "～"  # noqa: RUF001 - as above


def normalize_text(
    text: str, words: Iterable[Word], language: str, *, punctuation: bool, chinese: ChineseScript
) -> tuple[str, tuple[Word, ...]]:
    """Give a model's text, and its words, as they are wanted; no tag of a model stays.

    The words change as the text does. Where they no longer spell it, all of them are left out: no times are better
    than times of something else.
    """
    text = normalize_spaces(strip_tags(text), language)
    words = [replace(word, text=strip_tags(word.text)) for word in words]
    if chinese != "as spoken" and is_chinese(text, language):
        converted = _in_characters(text, chinese, language)
        words = _respelled(words, text, converted)
        text = converted
    if not punctuation:
        text = normalize_spaces(strip_punctuation(text), language)
        words = [replace(word, text=strip_punctuation(word.text)) for word in words]
    said = tuple(word for word in words if word.text)
    return text, said if locate_words(said, text) else ()


def strip_tags(text: str) -> str:
    """Take out what a model tells in its text by tags, such as `<|en|>`."""
    return " ".join(_TAG.sub(" ", text).split())


def normalize_spaces(text: str, language: str = "") -> str:
    """Set the spaces as the script does."""
    text = _NEEDLESS_SPACE.sub("", " ".join(text.split()))
    if not is_chinese(text, language):
        return text
    return _AFTER_LATIN.sub(r"\1 ", _BEFORE_LATIN.sub(" ", text))


def strip_punctuation(text: str) -> str:
    """Take out the marks; what spells a word or a number stays: “don't”, “well-known”, “3.5”, “50%”."""
    return " ".join(_SYMBOL.sub(lambda found: found[0] if _is_kept(text, found.start()) else " ", text).split())


def is_chinese(text: str, language: str) -> bool:
    """Tell whether the text is Chinese, by its script where the model does not tell its language."""
    return language in CHINESE if language else bool(_is_han(text)) and not _is_kana(text)


def _is_kept(text: str, at: int) -> bool:
    symbol, before, after = text[at], text[max(0, at - 1) : at], text[at + 1 : at + 2]
    if symbol in _SAID or not (unicodedata.category(symbol).startswith("P") or symbol in _MARK_BUT_IN_UNICODE):
        return True
    if before.isdigit() and after.isdigit():
        return symbol in _IN_NUMBERS or symbol in _IN_WORDS
    if before.isalnum() and after.isalnum():
        latin = not (is_unspaced(before) or is_unspaced(after))
        return symbol in _IN_ANY_SCRIPT or (latin and symbol in _IN_WORDS)
    return symbol in _BEFORE_NUMBERS and not before.strip() and after.isdigit()


def _respelled(words: list[Word], text: str, converted: str) -> list[Word]:
    """Take each word from where it stands: what becomes of a character depends on its neighbours."""
    if len(converted) != len(text):
        return []
    found = locate_words(words, text)
    return [replace(word, text=converted[place.start : place.stop]) for word, place in zip(words, found, strict=False)]


def _in_characters(text: str, chinese: ChineseScript, language: str) -> str:
    """Write Traditional as Hong Kong does for Cantonese, else as Taiwan does, without changing any word."""
    if chinese == "simplified":
        return _converter("t2s")(text)
    return _converter("s2hk" if language == "yue" else "s2tw")(text)


@cache
def _converter(name: str) -> Callable[[str], str]:
    from opencc import OpenCC  # noqa: PLC0415 - a library of several MB, which few ask for

    return OpenCC(name).convert
