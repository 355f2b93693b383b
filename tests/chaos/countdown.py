"""Kills its own process (SIGKILL) at one chosen line of the code that handles a note, by a trace function."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from bot.chat import delivery as bot_delivery, gatekeeper, intake, outage_notice, status_message, telegram_door
from bot.chat.gatekeeper import Gatekeeper
from bot.chat.handlers import notes
from bot.chat.telegram_door import TelegramDoor
from jobs import delivery, leased_worker, leases, queue, transcription
from jobs.transcription import transcribe_note
from storage import database, queries, states
from storage.telegram import notes as telegram_notes, replies

PROJECT = Path(__file__).parents[2]
MODULES = (
    *(gatekeeper, notes, intake, bot_delivery, outage_notice, telegram_door, status_message),
    *(queue, transcription, delivery, leases, leased_worker),
    *(states, replies, telegram_notes, queries, database),
)
FILES = frozenset(str(module.__file__) for module in MODULES)
WITHOUT_A_NOTE = frozenset({"_poll_iteration", "start_jobs", "wait_stopped"})  # what a worker does beside its notes
BEGINNINGS = frozenset(work.__code__ for work in (Gatekeeper.__call__, transcribe_note, TelegramDoor.done))


@dataclass(slots=True)
class Countdown:
    """Counts the lines from where the work on a note begins, and dies before line `dies_at`, if there is to be one.

    `report` gets the line at which the process died or, if it lived on, how many there were.
    """

    report: Path
    dies_at: int | None = None
    note_id: str | None = None  # None: the first note is meant, whichever it is
    lines: int = 0
    has_begun: bool = False

    def __enter__(self) -> Self:
        """Begin to trace this thread."""
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        """End tracing."""
        sys.settrace(None)
        self.report.write_text(str(self.lines))

    def _enter(self, frame: FrameType, _event: str, _: Any) -> Any:  # noqa: ANN401 - a trace function's own signature
        code = frame.f_code
        if code.co_filename not in FILES or code.co_name in WITHOUT_A_NOTE:
            return None
        if code in BEGINNINGS and self.note_id in {None, frame.f_locals.get("note_id")}:
            self.has_begun = True
        return self._step if self.has_begun else None

    def _step(self, frame: FrameType, event: str, _: Any) -> Any:  # noqa: ANN401 - as above
        if event == "line":
            if self.lines == self.dies_at:
                self._die(frame)
            self.lines += 1
        return self._step

    def _die(self, frame: FrameType) -> None:
        place = Path(frame.f_code.co_filename).relative_to(PROJECT)
        self.report.write_text(f"{place}:{frame.f_lineno}")
        os.kill(os.getpid(), signal.SIGKILL)
