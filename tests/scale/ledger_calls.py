"""Calls everything in the ledger that happens on a note's way, and keeps what each call sent and how long it took."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from storage.database import Database
from storage.note import Failure, Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage, TelegramNote, account_of_user
from tests.scale.filled_ledger import GROUP, OPTIONS, POPULAR, STORE
from tests.storage.samples import BOT, DOOR, incoming, record, transcript

_numbers = count()
KEPT_RECORDINGS = 10
_FAILURE = Failure(code="error", params={})


@dataclass
class Calls:
    """What the calls took, in seconds, and the statements that they sent, by name."""

    ledger: TelegramLedger
    took_s: dict[str, list[float]] = field(default_factory=dict)
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    _name: str = ""

    async def all(self) -> None:
        """Take some notes from their arrival to each of their ends, and ask everything that people can ask."""
        note = await self._arrive(self._message())
        await self._answered(note)
        await self._transcribed(await self._arrive(self._message()))
        await self._kept()
        await self._ended_otherwise()
        await self._asked_by_people()
        await self._asked_by_processes()

    @contextmanager
    def recording(self, engine: Engine) -> Iterator[None]:
        """Keep the statements that are sent inside the block."""

        def keep(_: Connection, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: ANN401, FBT001 - as SQLAlchemy calls it
            del many
            self.statements.setdefault(self._name, {})[statement] = parameters

        event.listen(engine, "before_cursor_execute", keep)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", keep)

    async def time(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the ledger returns
        """Make a call, and keep what it took by that name."""
        self._name = name
        began = perf_counter()
        found = await call()
        self.took_s.setdefault(name, []).append(perf_counter() - began)
        self._name = ""
        return found

    def _message(self) -> IncomingMessage:
        """Make a new voice note of somebody in the group; each has some numbers for the bot's messages behind it."""
        return incoming(chat_id=GROUP, user_id=4, message_id=1_000_000_000 + 10 * next(_numbers))

    async def _arrive(self, what: IncomingMessage) -> TelegramNote:
        ledger = self.ledger
        made: Note
        made, _ = await self.time("submit", lambda: ledger.submit(what.to_note(), what.to_row()))
        await self.time("submit again", lambda: ledger.submit(what.to_note(), what.to_row()))
        note: TelegramNote = await self.time("telegram_note", lambda: ledger.telegram_note(made.id))
        await self.time("find_same_sound", lambda: ledger.find_same_sound(note, OPTIONS))
        await self.time("status", lambda: ledger.set_status_message(note.id, note.message_id + 1, instead_of=None))
        return note

    async def _answered(self, note: Note) -> None:
        """Answer the note from one with the same file."""
        ledger = self.ledger
        popular = await record(ledger, replace(self._message(), file_unique_id=POPULAR))
        same_audio = await self.time("find_same_sound, popular", lambda: ledger.find_same_sound(popular[0], OPTIONS))
        await self.time("transcript", lambda: ledger.transcript(same_audio.id))
        mine = await ledger.claim(note.id, "bot", options=OPTIONS)
        assert mine is not None
        await ledger.finish(note.id, mine.fence, transcript(), engine_s=0.0, digest="d")
        await ledger.mark_delivered(note.id, mine.fence)
        await ledger.delete(popular[0].id)

    async def _transcribed(self, note: TelegramNote) -> None:
        ledger = self.ledger
        mine: Note = await self.time("claim", lambda: ledger.claim(note.id, "worker", options=OPTIONS))
        fence = mine.fence
        await self.time("is_same_audio_running", lambda: ledger.is_same_audio_running(mine))
        await self.time("begin_attempt", lambda: ledger.begin_attempt(note.id, fence))
        await self.time("set_digest", lambda: ledger.set_digest(note.id, fence, POPULAR, audio_s=20))
        known: Note = await self.time("get", lambda: ledger.get(note.id))
        await self.time("find_same_digest", lambda: ledger.find_same_digest(known, OPTIONS, POPULAR))
        await self.time("is_same_audio_running, digest", lambda: ledger.is_same_audio_running(known))
        held = [(note.id, fence), *(("none", number) for number in range(15))]
        await self.time("renew", lambda: ledger.renew(held))
        await self.time("owned", lambda: ledger.owned(held))
        await self.time("finish", lambda: self._finish(note.id, fence))
        await self.time("add_part", lambda: ledger.add_part(note.id, 1, note.message_id + 2))
        await self.time("text_parts", lambda: ledger.text_parts(note.id))
        await self.time("mark_delivered", lambda: ledger.mark_delivered(note.id, fence))
        await self.time("retry", lambda: ledger.retry(note.id, {}))
        await self.time("cancel", lambda: ledger.cancel(note.id))
        await self.time("mark_undeliverable", lambda: ledger.mark_undeliverable(note.id, "blocked"))
        await self.time("delete", lambda: ledger.delete(note.id))

    async def _finish(self, note_id: str, fence: int) -> Note | None:
        said = transcript()
        return await self.ledger.finish(note_id, fence, said, engine_s=1.0, digest=POPULAR, recording="ogg")

    async def _kept(self) -> None:
        """Write, expire and delete files of the notes that are done."""
        ledger = self.ledger
        stores = [STORE, "another"]
        await self.time("has_artefact_work", lambda: ledger.has_artefact_work(stores, KEPT_RECORDINGS))
        texts = await self.time("claim_unwritten", lambda: ledger.claim_unwritten(STORE))
        note_ids = [text.note_id for text in texts]
        await self.time("transcripts_of", lambda: ledger.transcripts_of(note_ids))
        await self.time("awaited_recordings", lambda: ledger.awaited_recordings(STORE, note_ids))
        recordings = await self.time("claim_recordings", lambda: ledger.claim_recordings(STORE, note_ids))
        stored = dict.fromkeys([*texts, *recordings], (12, "sha"))
        await self.time("mark_stored", lambda: ledger.mark_stored(stored))
        await self.time("stored_recording", lambda: ledger.stored_recording(note_ids[0], 50_000_000))
        await self.time("expire_artefacts", lambda: ledger.expire_artefacts(0))
        marked = await self.time("claim_deleted", lambda: ledger.claim_deleted(stores))
        await self.time("postpone_artefacts", lambda: ledger.postpone_artefacts(marked))
        await self.time("forget_artefacts", lambda: ledger.forget_artefacts(marked))

    async def _ended_otherwise(self) -> None:
        ledger = self.ledger
        note, _ = await record(ledger, self._message())
        mine = await ledger.claim(note.id, "worker", options=OPTIONS)
        assert mine is not None
        await self.time("release", lambda: ledger.release(note.id, mine.fence))
        again = await ledger.claim(note.id, "worker", options=OPTIONS)
        assert again is not None
        await self.time("fetch_failed", lambda: ledger.fetch_failed(note.id, again.fence))
        await self.time("fail", lambda: ledger.fail(note.id, again.fence, _FAILURE))
        await self.time("delivery_attempts", lambda: ledger.delivery_attempts(note))
        await self.time("postpone_delivery", lambda: ledger.postpone_delivery(again, 0, "network"))
        await self.time("due_deliveries", lambda: ledger.due_deliveries(DOOR, 16))
        await self.time("claim_delivery", lambda: ledger.claim_delivery(note.id, "worker"))
        await ledger.delete(note.id)

    async def _asked_by_people(self) -> None:
        ledger = self.ledger
        await self.time("by_message", lambda: ledger.by_message(BOT, GROUP, 200))
        await self.time("by_message, of a reply", lambda: ledger.by_message(BOT, GROUP, 201))
        await self.time("newest", lambda: ledger.newest(BOT, GROUP, 4, None))
        await self.time("page, first", lambda: ledger.page(BOT, GROUP, 0))
        await self.time("page, tenth", lambda: ledger.page(BOT, GROUP, 9))
        await self.time("recent", ledger.recent)
        await self.time("recent of a chat", lambda: ledger.recent_of_chat(GROUP, 20))
        await self.time("stats of a person", lambda: ledger.stats(DOOR, account_of_user(4)))
        await self.time("stats of all", lambda: ledger.stats(DOOR))

    async def _asked_by_processes(self) -> None:
        ledger = self.ledger
        waiting, _ = await record(ledger, self._message())
        found = [waiting.id]
        await self.time("orphaned", lambda: ledger.orphaned(0, door=DOOR, limit=1000))
        await self.time("orphaned, next page", lambda: ledger.orphaned(0, door=DOOR, after=waiting.id, limit=1000))
        some = [note.id for note in await ledger.recent()]
        await self.time("adopt_deliveries", ledger.adopt_deliveries)
        await self.time("telegram_notes", lambda: ledger.telegram_notes(some))
        await self.time("get_many", lambda: ledger.get_many(found[:100]))
        account = account_of_user(4)
        await self.time("choose", lambda: ledger.choose(account, "language", "de"))
        await self.time("account_settings", lambda: ledger.account_settings(account))
        await self.time("counts_by_state", ledger.counts_by_state)
        await self.time("speed", ledger.speed)
        await self.time("oldest_wait_s", ledger.oldest_wait_s)
        await self.time("role", lambda: ledger.role(BOT, 4))
        await self.time("has_admin", lambda: ledger.has_admin(BOT))
        code = await self.time("make_admin_link", lambda: ledger.make_admin_link(BOT))
        await self.time("open_link", lambda: ledger.open_link(BOT, code or "", 4))
        await self.time("withdraw_admin_links", lambda: ledger.withdraw_admin_links(BOT))
        await self.time("migrated_chats", lambda: ledger.migrated_chats(BOT))
        await self.time("without_status_message", lambda: ledger.without_status_message(BOT, datetime.now(UTC)))
        await ledger.delete(waiting.id)


async def plans(database: Database, calls: Calls) -> dict[str, list[str]]:
    """Return the plan of each statement that was sent, as the database explains it, by the name of its call."""
    found: dict[str, list[str]] = {}
    async with database.writing() as connection:
        how = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        for name, statements in calls.statements.items():
            for statement, parameters in statements.items():
                if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
                    continue
                rows = (await connection.exec_driver_sql(f"{how} {statement}", parameters)).all()
                found.setdefault(name, []).append("\n".join(str(row[-1]) for row in rows))
    return found


async def engine_of(database: Database) -> Engine:
    """Return SQLAlchemy's engine of the database, to listen to."""
    async with database.reading() as connection:
        assert connection.sync_connection is not None
        return connection.sync_connection.engine
