"""Delivers a note's outcome through its door, and records in the ledger that it was delivered."""

import asyncio
import contextlib

import structlog

from engine import Cancelled, Fault
from jobs.door import RetryLater, Undeliverable
from jobs.leases import Lease, LeaseLost
from jobs.note_log import log_outcome
from jobs.resilience import retry_until_written
from jobs.worker_context import WorkerContext
from storage.note import Failure, Note, State

PAUSES_S = (1.0, 3.0)  # between attempts
RETRY_LATER_S = 30.0  # after the last attempt

log = structlog.get_logger()


async def deliver(context: WorkerContext, note: Note, lease: Lease) -> None:
    """Tell the sender how the note ended; what cannot be delivered now comes again later.

    Raises:
        LeaseLost: the note is no longer ours.
        RetryLater: the door cannot be used now.
    """
    refusal = await _attempt(context, note, lease)
    if refusal is None:
        await retry_until_written(lambda: context.ledger.mark_delivered(note.id, note.fence))
    else:
        await retry_until_written(lambda: context.ledger.mark_undeliverable(note.id, refusal, note.fence))
    ended = await retry_until_written(lambda: context.ledger.get(note.id))
    log_outcome(ended or note)


async def _attempt(context: WorkerContext, note: Note, lease: Lease) -> str | None:
    """Attempt the delivery a few times; returns the reason if it can never succeed."""
    for pause_s in (*PAUSES_S, None):
        try:
            await _call_door(context, note, lease)
        except Undeliverable as error:
            log.warning("undeliverable", job=note.id, reason=str(error))
            return str(error)
        except (LeaseLost, RetryLater):
            raise
        except Exception as error:
            log.warning("delivery_delayed", job=note.id, error=repr(error), exc_info=not isinstance(error, OSError))
            if pause_s is None:
                raise RetryLater(RETRY_LATER_S) from error
            await asyncio.sleep(pause_s)
        else:
            break
    return None


async def _call_door(context: WorkerContext, note: Note, lease: Lease) -> None:
    await lease.verify()
    current = await context.ledger.get(note.id)
    if current is None or current.fence != note.fence:
        raise LeaseLost
    transcript = await context.ledger.transcript(current.id) if current.state is State.DONE else None
    if transcript is not None:
        await context.door.done(current, transcript)
    else:
        await context.door.failed(current, _failure(current))


def _failure(note: Note) -> Failure:
    if note.state is State.CANCELLED:
        return Failure(code=Cancelled.code, params={})
    return note.error or Failure(code=Fault.code, params={})


async def handle_lost_note(context: WorkerContext, note: Note) -> None:
    """Finish with a note whose lease was lost while it was worked on.

    If it was cancelled and the chat was told so, that is told once more: the last progress may have come later.
    Otherwise whoever took or deleted the note answers the chat.
    """
    current = await context.ledger.get(note.id)
    log.info("note_lost", job=note.id, deleted=current is None)
    if current and current.state is State.CANCELLED and current.delivered_at and current.run == note.run:
        with contextlib.suppress(Exception):
            await context.door.failed(current, _failure(current))
