"""Normalizes the text of every model: spaces, punctuation, simplified or traditional Chinese characters. Pure.

There is one space between Chinese characters and a Latin word, as Chinese style guides ask for, and none between the
characters of a script without spaces, nor beside their wide marks. Spaces around numbers stay as the model wrote them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from engine.scripts import HAN, LATIN, UNSPACED, WIDE_MARKS, ChineseScript, has_han, has_kana, is_unspaced, locate_words
from engine.transcript import Word

CHINESE = frozenset({"zh", "yue"})

_LATIN_START = f"[0-9]*[{LATIN}]"

_TAG = re.compile(r"<\|.*?\|>", re.DOTALL)
_NEEDLESS_SPACE = re.compile(f"(?<=[{UNSPACED}]) (?=[{UNSPACED}])|(?<=[{WIDE_MARKS}]) | (?=[{WIDE_MARKS}])")
_BEFORE_LATIN = re.compile(f"(?<=[{HAN}])(?={_LATIN_START})")
_AFTER_LATIN = re.compile(rf"(?<![0-9{LATIN}])({_LATIN_START}[\w'’.+#&/-]*?)(?=[{HAN}])")  # noqa: RUF001 - an apostrophe
_SYMBOL = re.compile(r"[^\w\s]")

# Marks that are read aloud, or belong to the spelling of the word or number around them.
_READ_ALOUD = frozenset("%‰&@#/\\")
_IN_NUMBERS = frozenset(".,:")
_IN_WORDS = frozenset("'’.-‐‑׳״")  # noqa: RUF001 - these are the marks themselves
_IN_ANY_SCRIPT = frozenset("·・‧")
_BEFORE_NUMBERS = frozenset("-.")
_MARK_BUT_NOT_IN_UNICODE = "～"  # noqa: RUF001 - as above


def normalize_text(
    text: str, words: Iterable[Word], language: str, *, punctuation: bool, chinese: ChineseScript
) -> tuple[str, tuple[Word, ...]]:
    """Give a model's text and words without tags, with normal spaces, and with the marks and characters asked for.

    The words change as the text does. Where they no longer spell it, all of them are left out: no times are better
    than wrong ones.
    """
    text = normalize_spaces(strip_tags(text), language)
    words = [replace(word, text=strip_tags(word.text)) for word in words]
    if chinese != "as spoken" and is_chinese(text, language):
        converted = _convert_characters(text, chinese, language)
        words = _convert_words(words, text, converted)
        text = converted
    if not punctuation:
        text = normalize_spaces(strip_punctuation(text), language)
        words = [replace(word, text=strip_punctuation(word.text)) for word in words]
    kept = tuple(word for word in words if word.text)
    return text, kept if locate_words(kept, text) else ()


def strip_tags(text: str) -> str:
    """Remove the tags of a model, such as `<|en|>`."""
    return " ".join(_TAG.sub(" ", text).split())


def normalize_spaces(text: str, language: str = "") -> str:
    """Set the spaces as the scripts of the text ask for."""
    text = _NEEDLESS_SPACE.sub("", " ".join(text.split()))
    if not is_chinese(text, language):
        return text
    return _AFTER_LATIN.sub(r"\1 ", _BEFORE_LATIN.sub(" ", text))


def strip_punctuation(text: str) -> str:
    """Remove punctuation, but for what belongs to a word or a number: “don't”, “well-known”, “3.5”, “50%”."""
    return " ".join(_SYMBOL.sub(lambda found: found[0] if _is_kept(text, found.start()) else " ", text).split())


def is_chinese(text: str, language: str) -> bool:
    """Tell whether the text is Chinese, by its script where `language` is ""."""
    return language in CHINESE if language else has_han(text) and not has_kana(text)


def _is_kept(text: str, at: int) -> bool:
    symbol, before, after = text[at], text[max(0, at - 1) : at], text[at + 1 : at + 2]
    if symbol in _READ_ALOUD or not (
        unicodedata.category(symbol).startswith("P") or symbol in _MARK_BUT_NOT_IN_UNICODE
    ):
        return True
    if before.isdigit() and after.isdigit():
        return symbol in _IN_NUMBERS or symbol in _IN_WORDS
    if before.isalnum() and after.isalnum():
        latin = not (is_unspaced(before) or is_unspaced(after))
        return symbol in _IN_ANY_SCRIPT or (latin and symbol in _IN_WORDS)
    return symbol in _BEFORE_NUMBERS and not before.strip() and after.isdigit()


def _convert_words(words: list[Word], text: str, converted: str) -> list[Word]:
    """Take each word from the converted text: how a character is converted depends on its neighbours."""
    if len(converted) != len(text):
        return []
    found = locate_words(words, text)
    return [replace(word, text=converted[place.start : place.stop]) for word, place in zip(words, found, strict=False)]


def _convert_characters(text: str, chinese: ChineseScript, language: str) -> str:
    """Convert the characters, never the words: traditional as in Hong Kong for Cantonese, else as in Taiwan."""
    if chinese == "simplified":
        return _converter("t2s")(text)
    return _converter("s2hk" if language == "yue" else "s2tw")(text)


@cache
def _converter(name: str) -> Callable[[str], str]:
    from opencc import OpenCC  # noqa: PLC0415 - a library of several MB, which few ask for

    return OpenCC(name).convert
