"""Finds the notes of Telegram: by message, by chat, and those that wait for an answer. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Table, and_, select

from storage.database import Database
from storage.tables import IS_QUEUED, UNSETTLED, door_totals, notes
from storage.telegram.message import TelegramNote, bot_of_door, door_of_bot
from storage.telegram.rows import STATUS_MESSAGE_ID, select_notes, telegram_note_from_row
from storage.telegram.tables import HAS_MOVED, telegram_chats, telegram_messages, telegram_replies
from storage.uninterruptible import uninterruptible

_IN_OWN_CHAT = and_(telegram_messages.c.business_connection_id == "", telegram_messages.c.guest_query_id == "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some notes of a chat, newest first. `page` counts from 0, and lies within `pages` whatever was asked for."""

    notes: tuple[TelegramNote, ...]
    page: int
    pages: int
    total: int


@uninterruptible
class TelegramNotes:
    """The part of the ledger that finds notes of Telegram."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    async def telegram_note(self, note_id: str) -> TelegramNote | None:
        """Return the note with that id, if it came from Telegram."""
        return await self._first_of(select_notes().where(notes.c.id == note_id))

    async def by_message(self, bot_id: int, chat_id: int, message_id: int) -> TelegramNote | None:
        """Return the note of a message, be that the voice note itself, its status message or a part of its text."""
        itself = select(telegram_messages.c.note_id).where(_at(telegram_messages, bot_id, chat_id, message_id))
        answered = select(telegram_replies.c.note_id).where(_at(telegram_replies, bot_id, chat_id, message_id))
        own = select_notes().where(telegram_messages.c.note_id.in_(itself.union_all(answered)), _IN_OWN_CHAT)
        return await self._first_of(own.order_by(notes.c.id.desc()))

    async def newest(self, bot_id: int, chat_id: int, sender_id: int, thread_id: int | None) -> TelegramNote | None:
        """Return somebody's newest note in a topic of the chat; None is the general topic, or that there are none."""
        of = telegram_messages.c
        own = and_(of.user_id == sender_id, of.thread_id.is_not_distinct_from(thread_id))
        return await self._first_of(_of_chat(bot_id, chat_id).where(own))

    async def page(self, bot_id: int, chat_id: int, page: int, size: int = 10) -> Page:
        """Return a page of the chat's notes, newest first, `size` a page."""
        here = and_(telegram_chats.c.bot_id == bot_id, telegram_chats.c.chat_id == chat_id)
        async with self._database.reading() as connection:
            total = (await connection.execute(select(telegram_chats.c.notes).where(here))).scalar_one_or_none() or 0
            pages = max(1, -(-total // size))
            page = min(max(page, 0), pages - 1)
            shown = _of_chat(bot_id, chat_id).with_only_columns(telegram_messages.c.note_id)
            note_ids = (await connection.execute(shown.limit(size).offset(page * size))).scalars().all()
            found = await connection.execute(select_notes().where(notes.c.id.in_(note_ids)))
            by_id = {row["id"]: telegram_note_from_row(row) for row in found.mappings()}
        return Page(notes=tuple(by_id[key] for key in note_ids if key in by_id), page=page, pages=pages, total=total)

    async def recent_of_chat(self, chat_id: int, limit: int) -> list[TelegramNote]:
        """Return the newest notes of a chat with any bot, newest first."""
        of_bots = [await self._all_of(_of_chat(bot_id, chat_id).limit(limit)) for bot_id in await self._bots()]
        found = [note for of_bot in of_bots for note in of_bot]
        return sorted(found, key=lambda note: (note.received_at, note.id), reverse=True)[:limit]

    async def telegram_notes(self, note_ids: Sequence[str]) -> list[TelegramNote]:
        """Return those of the notes that came from Telegram."""
        return await self._all_of(select_notes().where(notes.c.id.in_(note_ids)))

    async def without_status_message(self, bot_id: int, before: datetime) -> list[TelegramNote]:
        """Return the notes that wait since before a moment and have no status message yet, oldest first."""
        waits = and_(UNSETTLED, IS_QUEUED, notes.c.queued_at < before, notes.c.door == door_of_bot(bot_id))
        found = await self._all_of(select_notes().where(waits, STATUS_MESSAGE_ID.is_(None)))
        return sorted(found, key=lambda note: note.queued_at)

    async def text_parts(self, note_id: str) -> dict[int, int]:
        """Return the messages that hold the current run's text beyond the status message: part → message id.

        In a group that became another, the messages of the old one are out of reach, and not among them.
        """
        of_run = and_(telegram_replies.c.note_id == notes.c.id, telegram_replies.c.run == notes.c.run)
        in_reach = telegram_replies.c.chat_id == telegram_messages.c.answer_chat_id
        asked = (
            select(telegram_replies.c.part, telegram_replies.c.message_id)
            .join(notes, of_run)
            .join(telegram_messages, telegram_messages.c.note_id == notes.c.id)
            .where(telegram_replies.c.note_id == note_id, telegram_replies.c.part > 0, in_reach)
            .order_by(telegram_replies.c.part)
        )
        async with self._database.reading() as connection:
            return {row.part: row.message_id for row in await connection.execute(asked)}

    async def migrated_chats(self, bot_id: int) -> dict[int, int]:
        """Return the groups that became others: id of the old group → id of the new one."""
        moved = telegram_messages
        asked = select(moved.c.chat_id, moved.c.moved_to).where(moved.c.bot_id == bot_id, HAS_MOVED)
        async with self._database.reading() as connection:
            return {row.chat_id: row.moved_to for row in await connection.execute(asked.distinct())}

    async def _bots(self) -> list[int]:
        """Return the bots that have notes: there are few, and each has a door of its own."""
        async with self._database.reading() as connection:
            doors = (await connection.execute(select(door_totals.c.door).distinct())).scalars()
            return [bot_id for door in doors if (bot_id := bot_of_door(door)) is not None]

    async def _first_of(self, asked: Select[tuple[object, ...]]) -> TelegramNote | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(asked.limit(1))).mappings().one_or_none()
        return None if row is None else telegram_note_from_row(row)

    async def _all_of(self, asked: Select[tuple[object, ...]]) -> list[TelegramNote]:
        async with self._database.reading() as connection:
            return [telegram_note_from_row(row) for row in (await connection.execute(asked)).mappings()]


def _of_chat(bot_id: int, chat_id: int) -> Select[tuple[object, ...]]:
    """Select the notes that the bot was sent in its own chat, wherever that moved to, newest first."""
    of = telegram_messages.c
    here = and_(of.bot_id == bot_id, of.answer_chat_id == chat_id, _IN_OWN_CHAT)
    return select_notes().where(here).order_by(of.received_at.desc(), of.note_id.desc())


def _at(table: Table, bot_id: int, chat_id: int, message_id: int) -> ColumnElement[bool]:
    return and_(table.c.bot_id == bot_id, table.c.chat_id == chat_id, table.c.message_id == message_id)
