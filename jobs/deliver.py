"""Hands a note's outcome to the door, and writes down that it got there."""

import asyncio
import contextlib

import structlog

from engine.errors import Cancelled, Fault
from jobs.door import NotNow, Undeliverable
from jobs.engine_thread import NoteLost
from jobs.lease import Lease
from jobs.persistence import persistently
from jobs.story import tell_story
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
    outcome = "delivered"
    for pause_s in (*PAUSES_S, None):
        try:
            await _hand_over(place, note, lease)
            break
        except Undeliverable as error:
            log.warning("undeliverable", job=note.id, error=str(error))
            outcome = "undeliverable"
            break
        except (NoteLost, NotNow):
            raise
        except Exception as error:
            log.warning("delivery_delayed", job=note.id, error=repr(error), exc_info=not isinstance(error, OSError))
            if pause_s is None:
                raise NotNow(PUT_BACK_S) from error
            await asyncio.sleep(pause_s)
    await persistently(lambda: place.ledger.mark_delivered(note.id, note.fence))
    ended = await persistently(lambda: place.ledger.get(note.id))
    tell_story(ended or note, outcome)


async def _hand_over(place: Workplace, note: Note, lease: Lease) -> None:
    await lease.check()
    current = await place.ledger.get(note.id)
    if current is None:
        raise NoteLost
    transcript = await place.ledger.transcript(note.id) if current.state is State.DONE else None
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
    if current is None or current.state is not State.CANCELLED or current.run != note.run:
        log.info("note_lost", job=note.id, deleted=current is None)
        return
    if current.delivered_at is not None:
        with contextlib.suppress(Exception):
            await place.door.failed(current, _failure(current))
    tell_story(current, "delivered")
