"""The transcript of a recording: segments, words, times, speakers. Knows nothing of how it came to be."""

from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word, or a character of a script without spaces, with its start and end in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What the model recognized, and the hotword that was written in its place."""

    heard: str
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One speech region with its text. Times are seconds from the beginning of the recording.

    `words` is empty, and `emotion` "", where the model gives none; `events` are other sounds, such as "laughter".
    """

    start: float
    end: float
    text: str
    speaker: str | None = None
    channel: int | None = None
    words: tuple[Word, ...] = ()
    events: tuple[str, ...] = ()
    emotion: str = ""
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All segments of a recording, in order of their start.

    `language` is an ISO 639-1 code, or "" where nobody speaks; `duration` is in seconds. `promised_duration` is what
    the file declares, where clearly less could be decoded: the rest is missing or damaged.
    """

    language: str
    duration: float
    segments: tuple[Segment, ...]
    model: str
    promised_duration: float | None = None

    def to_json(self) -> str:
        """Write the transcript as one line of JSON; `from_json` reads it back unchanged."""
        return _adapter.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            pydantic.ValidationError: the text is not such a transcript.
        """
        return _adapter.validate_json(text)  # type: ignore[return-value]  # the adapter is of this very class


_adapter = TypeAdapter(Transcript)
