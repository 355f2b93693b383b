"""Aligns the words of a written text, with its marks and capitals, to the timed tokens that a recognizer gives."""

from collections.abc import Iterable
from dataclasses import replace

from engine.scripts import has_han, has_kana, has_letters
from engine.transcript import Word

REPLACEMENT = "\ufffd"  # stands for a character whose bytes are spread over several tokens


def align_words(text: str, tokens: Iterable[Word]) -> tuple[Word, ...]:
    """Give the words of `text` the times of `tokens`, which are words or parts of words without marks.

    Nothing where the tokens do not spell the text.
    """
    words: list[Word] = []
    partial: Word | None = None
    done = 0
    for token in tokens:
        spelled = token.text.strip()
        if REPLACEMENT in spelled:
            partial = replace(partial or token, end=token.end)
            continue
        if not has_letters(spelled):
            continue
        start = text.lower().find(spelled.lower(), done)
        if start < 0 or not _add_between(words, text[done:start], partial):
            return ()
        done = start + len(spelled)
        _add(words, replace(token, text=text[start:done]))
        partial = None
    if not _add_between(words, text[done:], partial):
        return ()
    return tuple(replace(word, text=word.text.strip()) for word in words if has_letters(word.text))


def _add(words: list[Word], word: Word) -> None:
    """Add a word, or the rest of one that is written together with the last."""
    if words and _is_same_word(words[-1].text, word.text):
        words[-1] = replace(words[-1], end=word.end, text=words[-1].text + word.text)
    elif words and not has_letters(words[-1].text):
        words[-1] = replace(word, text=words[-1].text + word.text)
    else:
        words.append(word)


def _add_between(words: list[Word], text: str, partial: Word | None) -> bool:
    """Add the text between two tokens: marks to the word before them. Tell whether every letter in it has a time."""
    if has_letters(text):
        if partial is None:
            return False
        _add(words, replace(partial, text=text))
    elif words:
        words[-1] = replace(words[-1], text=words[-1].text + text)
    elif text:
        words.append(Word(start=0.0, end=0.0, text=text))
    return True


def _is_same_word(before: str, after: str) -> bool:
    return _is_of_spaced_script(before[-1:]) and _is_of_spaced_script(after[:1])


def _is_of_spaced_script(character: str) -> bool:
    return character.isalnum() and not has_han(character) and not has_kana(character)
