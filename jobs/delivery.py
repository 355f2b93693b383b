"""Hands a note's outcome to the door, and writes down that it got there."""

import asyncio
import contextlib

import structlog

from engine import Cancelled, Fault
from jobs.door import NotNow, Undeliverable
from jobs.engine_threads import NoteLost
from jobs.lease import Lease
from jobs.note_log import tell_story
from jobs.persistence import persistently
from jobs.workplace import Workplace
from storage.note import Failure, Note, State

PAUSES_S = (1.0, 3.0)
PUT_BACK_S = 30.0

log = structlog.get_logger()


async def deliver(place: Workplace, note: Note, lease: Lease) -> None:
    """Tell the chat how the note ended. What does not get through now comes again later.

    Raises:
        NoteLost: it is no longer ours.
        NotNow: the door cannot be used now.
    """
    refusal = await _tried(place, note, lease)
    if refusal is None:
        await persistently(lambda: place.ledger.mark_delivered(note.id, note.fence))
    else:
        await persistently(lambda: place.ledger.mark_undeliverable(note.id, refusal, note.fence))
    ended = await persistently(lambda: place.ledger.get(note.id))
    tell_story(ended or note)


async def _tried(place: Workplace, note: Note, lease: Lease) -> str | None:
    """Hand the outcome over, after a few tries if need be; gives why that can never be done."""
    for pause_s in (*PAUSES_S, None):
        try:
            await _hand_over(place, note, lease)
        except Undeliverable as error:
            log.warning("undeliverable", job=note.id, reason=str(error))
            return str(error)
        except (NoteLost, NotNow):
            raise
        except Exception as error:
            log.warning("delivery_delayed", job=note.id, error=repr(error), exc_info=not isinstance(error, OSError))
            if pause_s is None:
                raise NotNow(PUT_BACK_S) from error
            await asyncio.sleep(pause_s)
        else:
            break
    return None


async def _hand_over(place: Workplace, note: Note, lease: Lease) -> None:
    await lease.check()
    current = await place.ledger.get(note.id)
    if current is None:
        raise NoteLost
    transcript = await place.ledger.transcript(current.id) if current.state is State.DONE else None
    if transcript is not None:
        await place.door.done(current, transcript)
    else:
        await place.door.failed(current, _failure(current))


def _failure(note: Note) -> Failure:
    if note.state is State.CANCELLED:
        return Failure(code=Cancelled.code, params={})
    return note.error or Failure(code=Fault.code, params={})


async def settle_lost(place: Workplace, note: Note) -> None:
    """See to a note that was lost while it was worked on.

    If it was cancelled and the chat was told so, that is told once more: the last word of progress may have come later.
    Otherwise whoever took or deletes the note sees to the chat.
    """
    current = await place.ledger.get(note.id)
    log.info("note_lost", job=note.id, deleted=current is None)
    if current and current.state is State.CANCELLED and current.delivered_at and current.run == note.run:
        with contextlib.suppress(Exception):
            await place.door.failed(current, _failure(current))
