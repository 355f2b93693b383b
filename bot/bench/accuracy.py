"""Word and character error rate (WER, CER) of what the engine reads in clips whose text is known."""

from __future__ import annotations

import csv
import re
import threading
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import jiwer

from engine import AudioFault, Engine, Request, join_texts

UNSPACED = ("zh", "yue", "ja", "ko")
"""Languages that are counted by characters alone."""

CHANNEL_MARK = re.compile(r"\[\w+\]")


@dataclass(frozen=True, slots=True)
class Clip:
    """A file with speech, its language, and what is said in it."""

    path: Path
    language: str
    reference: str


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Errors per word and per character over so many clips; more than 1 where more was read than was said."""

    clips: int
    wer: float
    cer: float


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
            clips.append(Clip(folder / row["file"], row["language"], CHANNEL_MARK.sub(" ", reference)))
    if not clips:
        raise click.UsageError(f"{folder / 'manifest.tsv'} has no row with a file, a language and a reference")
    return clips


def measure_clips(
    engine: Engine,
    clips: Iterable[Clip],
    on_read: Callable[[Clip, ErrorRates], None],
    on_unread: Callable[[Clip, str], None],
) -> dict[str, ErrorRates]:
    """Transcribe the clips one by one and give the error rates by language; `on_unread` is told why one cannot be."""
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for clip in clips:
        try:
            pair = (clip.reference, _transcribe(engine, clip.path))
        except AudioFault as fault:
            on_unread(clip, str(fault) if clip.path.exists() else "there is no such file")
        else:
            pairs[clip.language].append(pair)
            on_read(clip, error_rates(clip.language, [pair]))
    return {language: error_rates(language, of_language) for language, of_language in pairs.items()}


def error_rates(language: str, pairs: Sequence[tuple[str, str]]) -> ErrorRates:
    """Compare references with what was read, both normalized; each error weighs the same, however long its clip."""
    references, hypotheses = zip(
        *((normalize(language, said), normalize(language, read)) for said, read in pairs), strict=True
    )
    return ErrorRates(
        clips=len(pairs),
        wer=jiwer.wer(list(references), list(hypotheses)),
        cer=jiwer.cer([_without_spaces(text) for text in references], [_without_spaces(text) for text in hypotheses]),
    )


def normalize(language: str, text: str) -> str:
    """Take away what is no error: marks, capitals, width of characters; in English also how numbers are written."""
    if language == "en":
        return _english_normalizer()(text)
    plain = "".join(sign if sign.isalnum() else " " for sign in unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_without_spaces(plain) if language in UNSPACED else plain.split())


def rate_rows(rates: Mapping[str, ErrorRates]) -> list[tuple[str, ...]]:
    """Give the rows of the table: WER where a language has spaces between its words, CER for all."""
    return [
        (language, str(one.clips), "" if language in UNSPACED else f"{one.wer:.1%}", f"{one.cer:.1%}")
        for language, one in sorted(rates.items())
    ]


@cache
def _english_normalizer() -> Callable[[str], str]:
    """Load the normalizer that comes with Whisper, by which published error rates of English are counted."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # it leaves its list of spellings open
        from whisper.normalizers import EnglishTextNormalizer  # noqa: PLC0415 - it takes torch with it

        normalizer: Callable[[str], str] = EnglishTextNormalizer()
    return normalizer


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _transcribe(engine: Engine, path: Path) -> str:
    """Read a file with numbers as they are spoken, because references write them so."""
    transcript = engine.transcribe(
        engine.decode(path), Request(itn=False), on_progress=lambda _: None, cancelled=threading.Event()
    )
    return join_texts([segment.text for segment in transcript.segments])
