"""Artefacts as plain values: what is kept of a note, and for how long. Knows nothing of SQL and of stores."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine import FORMATS

RECORDING = "recording"  # the kind of a recording; that of a text is its format
UNKNOWN_EXTENSION = "bin"
LONGEST_EXTENSION = 8
SECONDS_PER_DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A file that is kept of a note.

    `store` names the store in which it is or may be, and is empty before anybody has tried to put it into one.
    `attempts` grows with every claim: who writes or deletes the file holds the artefact by that number.
    """

    note_id: str
    kind: str
    key: str
    store: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which texts are kept of every note that is done, and for how many days; 0 is for ever."""

    formats: tuple[str, ...] = ("txt", "vtt")
    keep_days: int = 0

    @property
    def keep_texts_s(self) -> float | None:
        """How long texts are kept, in seconds; None is for ever."""
        return self.keep_days * SECONDS_PER_DAY or None

    def extensions(self, recording: str) -> Mapping[str, str]:
        """Return the file extension of each kind to keep; `recording` is that of the recording, empty without one."""
        texts = {name: name for name in self.formats}
        return {RECORDING: recording, **texts} if recording else texts


DEFAULT_RETENTION = Retention()


def safe_extension(suffix: str) -> str:
    """Return the file extension for a recording whose name ends in `suffix`: never that of a text."""
    extension = re.sub(r"[^a-z0-9]", "", suffix.lower())[:LONGEST_EXTENSION]
    return UNKNOWN_EXTENSION if extension in {"", *FORMATS} else extension
