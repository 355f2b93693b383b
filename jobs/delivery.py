"""Delivers the outcomes of notes through their door, beside the work on other notes.

A delivery that fails lets go of its note, and is due again after a pause that grows, on whichever worker is free then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from time import monotonic

import structlog

from engine import Cancelled, Fault, Transcript
from jobs.backoff import DEADLINE_H, is_overdue, pause_s
from jobs.door import Door, RetryLater, Undeliverable
from jobs.leases import LeaseLost
from jobs.note_log import log_outcome
from jobs.resilience import cancel_and_wait, retry_until_written, running_periodically
from jobs.worker_context import WorkerContext
from storage.note import Failure, Note, State
from storage.uninterruptible import run_to_end

AT_ONCE = 16
INTERVAL_S = 1.0
STOP_S = 5.0  # what an attempt under way gets before it is cancelled
RELEASE_S = 3.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a note ended, and its transcript if it is done; held since `since`, in seconds of the monotonic clock."""

    note: Note
    transcript: Transcript | None
    since: float


class DeliveryLoop:
    """Delivers what a worker has transcribed, and whatever else is due. Takes no place of the worker's."""

    def __init__(self, context: WorkerContext) -> None:
        """Deliver through the door of `context`."""
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver what is due for as long as the block runs; then let the attempts under way end."""
        try:
            async with running_periodically(INTERVAL_S, self._begin_due, "deliveries"):
                yield
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=STOP_S)
            await cancel_and_wait(*self._tasks)

    def begin(self, outcome: Outcome) -> None:
        """Deliver a note that this worker holds; with too many at hand, whoever has room does it."""
        self._spawn(deliver(self._context, outcome) if self._room() > 0 else _release(self._context, outcome.note))

    async def _begin_due(self) -> None:
        context = self._context
        if (room := self._room()) > 0:
            for note_id in await context.ledger.due_deliveries(context.door.name, room):
                if outcome := await _claim(context, note_id):
                    self.begin(outcome)

    def _room(self) -> int:
        return AT_ONCE - len(self._tasks)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@run_to_end
async def _claim(context: WorkerContext, note_id: str) -> Outcome | None:
    since, ledger = monotonic(), context.ledger
    async with ledger.transaction():
        note = await ledger.claim_delivery(note_id, context.worker_id)
        if note is None:
            return None
        return Outcome(note, await ledger.transcript(note_id) if note.state is State.DONE else None, since)


async def deliver(context: WorkerContext, outcome: Outcome) -> None:
    """Attempt once to tell the sender how the note ended, and record what came of it. Lets go of the note."""
    note = outcome.note
    try:
        async with context.leases.hold(note, outcome.since) as lease:
            await lease.while_certain(lambda: _call_door(context.door, outcome))
    except LeaseLost:
        await handle_lost_note(context, note)
    except Undeliverable as error:
        await _give_up(context, note, str(error))
    except asyncio.CancelledError:
        await _release(context, note)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, it may pass
        await _postpone(context, note, error)
    else:
        settled = await retry_until_written(lambda: context.ledger.mark_delivered(note.id, note.fence))
        await _log_outcome(context, settled or note)


async def _postpone(context: WorkerContext, note: Note, error: Exception) -> None:
    """Let the next attempt be due later, or give up when the note has been over for too long."""
    reason = _reason(error)
    ended = await retry_until_written(lambda: context.ledger.get(note.id))
    now = await retry_until_written(context.ledger.current_time)
    if ended and ended.finished_at and is_overdue((now - ended.finished_at).total_seconds()):
        await _give_up(context, note, f"given up after {DEADLINE_H} h: {reason}")
        return
    attempts = await retry_until_written(lambda: context.ledger.delivery_attempts(note)) + 1
    after_s = max(pause_s(attempts), error.after_s if isinstance(error, RetryLater) else 0.0)
    log.warning("delivery_delayed", job=note.id, error=reason, attempts=attempts, after_s=round(after_s, 1))
    await retry_until_written(lambda: context.ledger.postpone_delivery(note, after_s, reason))


async def _give_up(context: WorkerContext, note: Note, reason: str) -> None:
    log.warning("undeliverable", job=note.id, reason=reason)
    settled = await retry_until_written(lambda: context.ledger.mark_undeliverable(note.id, reason, note.fence))
    await _log_outcome(context, settled or note)


async def _log_outcome(context: WorkerContext, note: Note) -> None:
    """Log how the note ended; if this worker could not record that, then as the ledger has it."""
    ended = note if note.is_settled else await retry_until_written(lambda: context.ledger.get(note.id))
    log_outcome(ended or note)


async def _release(context: WorkerContext, note: Note) -> None:
    """Let go of the note. If the database does not answer, its hold expires a little later."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_S):
            await retry_until_written(lambda: context.ledger.release(note.id, note.fence))


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, RetryLater) and error.__cause__ else error
    return f"{type(cause).__name__}: {cause}"


async def _call_door(door: Door, outcome: Outcome) -> None:
    if outcome.transcript is not None:
        await door.done(outcome.note, outcome.transcript)
    else:
        await door.failed(outcome.note, _failure(outcome.note))


def _failure(note: Note) -> Failure:
    if note.state is State.CANCELLED:
        return Failure(code=Cancelled.code, params={})
    return note.error or Failure(code=Fault.code, params={})


async def handle_lost_note(context: WorkerContext, note: Note) -> None:
    """Finish with a note whose lease was lost while it was worked on.

    If it was cancelled and the sender was told so, that is told once more: the last progress may have come later.
    Otherwise whoever took or deleted the note answers the sender.
    """
    current = await retry_until_written(lambda: context.ledger.get(note.id))
    log.info("note_lost", job=note.id, deleted=current is None)
    if current and current.state is State.CANCELLED and current.delivered_at and current.run == note.run:
        with contextlib.suppress(Exception):
            await context.door.failed(current, _failure(current))
