"""Voice notes as plain values, and what became of them. Knows nothing of SQL."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

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
    """A voice note as a door receives it. The `claimed_` values come from the sender and may be wrong.

    The fields of `KEY` are unique together. `business_connection_id` and `guest_query_id` are empty in the bot's own
    chats; where they are not, the ids of chat and message mean something else than there.
    """

    KEY: ClassVar[tuple[str, ...]] = ("bot_id", "chat_id", "message_id", "business_connection_id", "guest_query_id")

    bot_id: int
    chat_id: int
    message_id: int
    business_connection_id: str = ""
    guest_query_id: str = ""
    thread_id: int | None
    user_id: int
    kind: str
    file_id: str
    file_unique_id: str
    claimed_s: float | None
    claimed_bytes: int | None
    file_name: str | None
    locale: str

    @property
    def account(self) -> str:
        """Who sent it; between accounts the order of the queue is fair."""
        return f"telegram:{self.user_id}"

    @property
    def key(self) -> tuple[int | str, ...]:
        """The values that no other note has together."""
        return tuple(getattr(self, name) for name in self.KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Incoming):
    """A voice note and what became of it.

    `fence` grows with every claim, `run` with every retry that a person asked for, and `tries` counts how often in this
    run a worker began on the audio and did not end it. `unfetched_since` is when fetching the audio first failed, None
    once it has been fetched. `tag` is its turn in the queue.
    `preview` is the beginning of the text. `undeliverable` is why the chat can never be told.
    `moved_to` is the group that the chat became.
    """

    id: str
    state: State
    fence: int
    tries: int
    run: int
    language: str | None
    status_message_id: int | None
    moved_to: int | None
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
    def answer_chat_id(self) -> int:
        """The chat that the answer belongs in."""
        return self.moved_to or self.chat_id

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do: the chat knows how the note ended, or can never be told."""
        return self.delivered_at is not None or self.undeliverable is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some notes of a chat, newest first. `page` counts from 0, and lies within `pages` whatever was asked for."""

    notes: tuple[Note, ...]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Sums over notes: how many by state, seconds of audio transcribed, seconds of work, and how many people."""

    counts: dict[State, int]
    audio_s: float
    engine_s: float
    users: int
