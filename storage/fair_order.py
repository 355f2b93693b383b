"""Fair order between accounts: each note gets a tag, by which the queue is sorted; the lower one runs earlier.

The tag is `max(now, the account's last tag) + cost`. Only notes that no worker has begun count: the account's last tag
is the highest of its own, and now, a virtual time, is just before the lowest of all. Short and long notes each have a
now and last tags of their own. `docs/decisions/0009` says why.
"""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import moment
from storage.database import insert_into
from storage.note import Incoming
from storage.tables import accounts, is_unbegun, notes

LONG_S = 300.0  # what has more audio is long
LONGEST_S = 86_400.0  # nothing costs more, so that tags stay far below 2^53, up to which Redis holds them exactly
TYPICAL_BYTES_PER_S = 8000  # for a file whose duration is not known
TYPICAL_S = 20.0  # for one of which nothing is known


def claimed_audio_s(incoming: Incoming) -> float:
    """Return the seconds of audio, as far as that is known of a note before it is fetched."""
    return incoming.claimed_s or (incoming.claimed_bytes or 0) / TYPICAL_BYTES_PER_S or TYPICAL_S


def is_long(incoming: Incoming) -> bool:
    """Return whether the note is of the long kind."""
    return claimed_audio_s(incoming) > LONG_S


def cost_ms(incoming: Incoming) -> int:
    """Return what the note costs its account: the milliseconds of its audio; short ones cost the same, one turn."""
    return round(1000 * min(LONGEST_S, max(LONG_S, claimed_audio_s(incoming))))


def next_tag(incoming: Incoming) -> ColumnElement[int]:
    """Return the tag of a note that is about to wait, as an SQL expression.

    Where no note of its kind waits, now is that of the other kind; where nothing waits at all, the tag of the newest
    note, so that writers which do not see each other's notes yet agree on it.
    """
    others = notes.alias("others")
    door_waits = select(others).where(is_unbegun(others), others.c.door == incoming.door)
    kind_waits = door_waits.where(others.c.is_long == is_long(incoming))
    account_waits = kind_waits.where(others.c.account == incoming.account)
    other_kind_waits = door_waits.where(others.c.is_long == (not is_long(incoming)))
    newest = select(others.c.tag).order_by(others.c.received_at.desc(), others.c.id.desc()).limit(1)
    return func.coalesce(
        account_waits.with_only_columns(func.max(others.c.tag)).scalar_subquery(),
        kind_waits.with_only_columns(func.min(others.c.tag) - 1).scalar_subquery(),
        other_kind_waits.with_only_columns(func.min(others.c.tag) - 1).scalar_subquery(),
        newest.scalar_subquery(),
        0,
    ) + cost_ms(incoming)


async def lock_account(connection: AsyncConnection, account: str) -> None:
    """Let no other transaction give a note of the account its tag until this one has ended."""
    values = {"id": account, "created_at": moment(), "last_note_at": moment()}
    again = {"last_note_at": moment()}
    await connection.execute(
        insert_into(connection, accounts).values(values).on_conflict_do_update(index_elements=["id"], set_=again)
    )
