"""Writing systems: which characters have no spaces between words, how texts are joined, where words stand in a text.

Pure. The character ranges are those of the Unicode blocks for Latin, Han, kana and full-width forms.
"""

import re
from collections.abc import Iterable
from typing import Literal

from engine.transcript import Word

ChineseScript = Literal["as spoken", "simplified", "traditional"]

LATIN = "A-Za-z\u00c0-\u024f"
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
WIDE_LETTERS = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
WIDE_MARKS = "\u3001-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
UNSPACED = HAN + KANA + WIDE_LETTERS + WIDE_MARKS

_match_unspaced = re.compile(f"[{UNSPACED}]").match
_match_wide_mark = re.compile(f"[{WIDE_MARKS}]").match
_search_han = re.compile(f"[{HAN}]").search
_search_kana = re.compile(f"[{KANA}]").search


def join_texts(texts: Iterable[str]) -> str:
    """Join texts with a space, but Chinese and Japanese without."""
    joined = ""
    for text in texts:
        joined += (" " if joined and text and _are_apart(joined[-1], text[0]) else "") + text
    return joined


def is_unspaced(character: str) -> bool:
    """Tell whether a character is of a script without spaces between words, or one of its marks."""
    return bool(_match_unspaced(character))


def has_han(text: str) -> bool:
    """Tell whether a text has a Chinese character."""
    return bool(_search_han(text))


def has_kana(text: str) -> bool:
    """Tell whether a text has a Japanese hiragana or katakana character."""
    return bool(_search_kana(text))


def has_letters(text: str) -> bool:
    """Tell whether a text has a letter or digit, so that it is not only marks and spaces."""
    return any(map(str.isalnum, text))


def language_by_script(text: str) -> str:
    """Guess Japanese, Chinese or English, for a model that knows these and does not tell which it heard."""
    if has_kana(text):
        return "ja"
    return "zh" if has_han(text) else "en"


def locate_words(words: Iterable[Word], text: str) -> tuple[range, ...]:
    """Give the range of each word in the text; nothing where the words leave out a letter or digit of it."""
    found: list[range] = []
    end = 0
    for word in words:
        begin = text.find(word.text, end)
        if begin < 0 or has_letters(text[end:begin]):
            return ()
        end = begin + len(word.text)
        found.append(range(begin, end))
    return () if has_letters(text[end:]) else tuple(found)


def _are_apart(before: str, after: str) -> bool:
    if _match_wide_mark(before) or _match_wide_mark(after):
        return False
    return not (is_unspaced(before) and is_unspaced(after))
