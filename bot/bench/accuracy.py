"""How well texts agree with what was said: words and characters, as speech recognition counts them."""

from __future__ import annotations

import csv
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from engine.errors import AudioFault
from engine.recognizers.funasr_isolation import isolated_process_state
from engine.runtime.precision import differences
from engine.scripts import join_texts
from engine.speech import Engine, Request

BY_CHARACTERS = ("zh", "yue", "ja", "ko")
CHANNEL = re.compile(r"\[\w+\]")


@dataclass(frozen=True, slots=True)
class Clip:
    """A file with speech, its language, and what is said in it."""

    path: Path
    language: str
    reference: str


@dataclass(frozen=True, slots=True)
class Score:
    """Errors in so many words, and in so many characters."""

    clips: int = 0
    word_errors: int = 0
    words: int = 0
    character_errors: int = 0
    characters: int = 0

    def __add__(self, other: Score) -> Score:
        """Add up two scores."""
        return Score(
            self.clips + other.clips,
            self.word_errors + other.word_errors,
            self.words + other.words,
            self.character_errors + other.character_errors,
            self.characters + other.characters,
        )

    @property
    def wer(self) -> float:
        """Part of the words that is wrong."""
        return self.word_errors / max(1, self.words)

    @property
    def cer(self) -> float:
        """Part of the characters that is wrong."""
        return self.character_errors / max(1, self.characters)


def read_manifest(folder: Path) -> list[Clip]:
    """Read manifest.tsv of a folder: columns file, language, reference (or reference_text); rows without are left out.

    Raises:
        click.UsageError: it is missing, or has other columns.
    """
    try:
        with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as missing:
        raise click.UsageError(f"{folder} needs a manifest.tsv with the columns file, language, reference") from missing
    clips = []
    for row in rows:
        reference = row.get("reference") or row.get("reference_text") or ""
        if row.get("file") and row.get("language") and reference:
            clips.append(Clip(folder / row["file"], row["language"], CHANNEL.sub(" ", reference)))
    if not clips:
        raise click.UsageError(f"{folder / 'manifest.tsv'} has no row with a file, a language and a reference")
    return clips


def scores(
    engine: Engine,
    clips: Iterable[Clip],
    on_read: Callable[[Clip, Score, str], None],
    on_unread: Callable[[Clip, str], None],
) -> dict[str, Score]:
    """Read the clips from their files and add up their scores by language; of what cannot be read, tell why."""
    found: dict[str, Score] = {}
    for clip in clips:
        try:
            heard = _text(engine, clip.path)
        except AudioFault as fault:
            on_unread(clip, str(fault) if clip.path.exists() else "there is no such file")
            continue
        one = score(clip.language, clip.reference, heard)
        found[clip.language] = found.get(clip.language, Score()) + one
        on_read(clip, one, heard)
    return found


def score(language: str, reference: str, heard: str) -> Score:
    """Compare a text with what was said, after the usual normalisation of both."""
    said, got = normalised(language, reference), normalised(language, heard)
    return Score(
        1,
        differences(said.split(), got.split()),
        len(said.split()),
        differences(_without_spaces(said), _without_spaces(got)),
        len(_without_spaces(said)),
    )


def normalised(language: str, text: str) -> str:
    """Take away what is no mistake: marks, capitals, width of characters; in English also how numbers are written."""
    if language == "en":
        return _whispers_english()(text)
    plain = "".join(sign if sign.isalnum() else " " for sign in unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_without_spaces(plain) if language in BY_CHARACTERS else plain.split())


@cache
def _whispers_english() -> Callable[[str], str]:
    """Give the normaliser that comes with Whisper, by which published error rates of English are counted."""
    with isolated_process_state():  # it leaves its list of spellings open
        from whisper.normalizers import EnglishTextNormalizer  # noqa: PLC0415 - it takes torch with it

        normaliser: Callable[[str], str] = EnglishTextNormalizer()
    return normaliser


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _text(engine: Engine, path: Path) -> str:
    """Read a file with numbers as they are spoken, because references write them so."""
    transcript = engine.transcribe(
        engine.decode(path), Request(itn=False), on_progress=lambda _: None, cancelled=threading.Event()
    )
    return join_texts([segment.text for segment in transcript.segments])


def by_language(found: dict[str, Score]) -> Sequence[Sequence[str]]:
    """Give the rows of the table: words where a language has spaces between them, characters for all."""
    return [
        [language, str(one.clips), "" if language in BY_CHARACTERS else f"{one.wer:.1%}", f"{one.cer:.1%}"]
        for language, one in sorted(found.items())
    ]
