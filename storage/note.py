"""Voice notes as plain values, and what became of them. Knows nothing of SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from engine import Fault, Param


class State(StrEnum):
    """The state of a voice note: queued → processing → done, failed or cancelled."""

    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether only the delivery of the outcome can be left to do."""
        return self in FINAL


FINAL = (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a note has no transcript: a fault's code and parameters, which can be stored and translated."""

    code: str
    params: dict[str, Param]

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """Convert a fault."""
        return cls(code=fault.code, params=dict(fault.params))


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A voice note as every door describes it. The `claimed_` values come from the sender and may be wrong.

    `door` is where it came in and is answered: `telegram:<bot id>`, since only that bot can fetch and answer it.
    `account` is who sent it. `sound_key` is the door's own key of the audio: equal keys mean the same audio. `request`
    is what was asked for, by the names of `engine.Request`.
    """

    door: str
    account: str
    sound_key: str | None
    claimed_s: float | None
    claimed_bytes: int | None
    request: Mapping[str, Param]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Incoming):
    """A voice note and what became of it.

    `fence` grows with every claim, `run` with every retry that a person asked for, and `tries` counts how often in this
    run a worker began on the audio and did not end it. `unfetched_since` is when fetching the audio first failed, None
    once it has been fetched. `tag` is its turn in the queue. `preview` is the beginning of the text. `undeliverable` is
    why the sender can never be told.
    """

    id: str
    state: State
    fence: int
    tries: int
    run: int
    received_at: datetime
    queued_at: datetime
    tag: int
    started_at: datetime | None
    unfetched_since: datetime | None
    finished_at: datetime | None
    delivered_at: datetime | None
    undeliverable: str | None
    audio_s: float | None
    engine_s: float | None
    model: str | None
    digest: str | None
    error: Failure | None
    preview: str

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do: the sender knows how the note ended, or can never be told."""
        return self.delivered_at is not None or self.undeliverable is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Sums over notes: how many by state, seconds of audio transcribed, seconds of work, and how many accounts."""

    counts: dict[State, int]
    audio_s: float
    engine_s: float
    accounts: int
