"""What was said, and when. Knows nothing of how it was found out."""

from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word, or a character of a script without spaces, and when it was said, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What the model heard, and the hotword that was written in its place."""

    heard: str
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One speech region with its text. Times are seconds from the beginning of the recording.

    `words` is empty, and `emotion` "", where the model does not tell; `events` is what else is heard: "laughter".
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

    `language` is an ISO 639-1 code, or "" where nobody spoke; `duration` is the recording's, in seconds, and
    `promised_duration` what its file tells, where clearly less could be read: the rest is missing or damaged.
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
