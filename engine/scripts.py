"""Writing systems: which characters are written without spaces between words, and how texts of any script are joined.

Pure. The character ranges are those of the Unicode blocks for Han, kana, and full-width forms.
"""

import re
from collections.abc import Iterable
from typing import Literal

from engine.transcript import Word

ChineseScript = Literal["as spoken", "simplified", "traditional"]

HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
WIDE_LETTERS = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
WIDE_MARKS = "\u3001-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
UNSPACED = HAN + KANA + WIDE_LETTERS + WIDE_MARKS

_find_unspaced = re.compile(f"[{UNSPACED}]").match
_is_wide_mark = re.compile(f"[{WIDE_MARKS}]").match


def join_texts(texts: Iterable[str]) -> str:
    """Join texts as their script does: with a space, but for Chinese and Japanese."""
    joined = ""
    for text in texts:
        joined += (" " if joined and text and _are_apart(joined[-1], text[0]) else "") + text
    return joined


def is_unspaced(character: str) -> bool:
    """Tell whether a character is of a script without spaces, or one of its marks."""
    return bool(_find_unspaced(character))


def locate_words(words: Iterable[Word], text: str) -> tuple[range, ...]:
    """Find the words in the text; none where they do not spell all that it says."""
    found: list[range] = []
    end = 0
    for word in words:
        begin = text.find(word.text, end)
        if begin < 0 or _is_spoken(text[end:begin]):
            return ()
        end = begin + len(word.text)
        found.append(range(begin, end))
    return () if _is_spoken(text[end:]) else tuple(found)


def _are_apart(before: str, after: str) -> bool:
    if _is_wide_mark(before) or _is_wide_mark(after):
        return False
    return not (is_unspaced(before) and is_unspaced(after))


def _is_spoken(text: str) -> bool:
    return any(map(str.isalnum, text))
