"""Values to test with."""

from itertools import count

from engine.transcript import Segment, Transcript
from storage.ledger import Ledger
from storage.note import Note
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage, TelegramNote, door_of_bot

BOT = 42
DOOR = door_of_bot(BOT)

_numbers = count(1)


def incoming(  # noqa: PLR0913 - each test names what matters to it
    *,
    chat_id: int = 7,
    message_id: int | None = None,
    user_id: int = 5,
    file_unique_id: str | None = None,
    claimed_s: float | None = 2.0,
    file_id: str = "file",
    thread_id: int | None = None,
) -> IncomingMessage:
    number = next(_numbers)
    return IncomingMessage(
        bot_id=BOT,
        chat_id=chat_id,
        message_id=number if message_id is None else message_id,
        thread_id=thread_id,
        user_id=user_id,
        kind="voice",
        file_id=file_id,
        file_unique_id=f"unique-{number}" if file_unique_id is None else file_unique_id,
        claimed_s=claimed_s,
        claimed_bytes=1000,
        file_name=None,
        locale="en",
    )


async def record(ledger: TelegramLedger, message: IncomingMessage) -> tuple[TelegramNote, bool]:
    """Write a message into the ledger as the bot does; gives its note, and whether it is new."""
    note, is_new = await ledger.submit(message.to_note(), message.to_row())
    return await known(ledger, note), is_new


async def known(ledger: TelegramLedger, note: Note) -> TelegramNote:
    """Give what the ledger holds of a note."""
    found = await ledger.telegram_note(note.id)
    assert found is not None
    return found


def transcript(text: str = "hello there", duration: float = 2.0) -> Transcript:
    segments = (Segment(start=0.0, end=duration, text=text),) if text else ()
    return Transcript(language="en", duration=duration, segments=segments, model="fake")


async def unfinished(ledger: Ledger) -> list[Note]:
    """Give the notes whose chats do not know yet how they ended, and can be told."""
    return [note for note in await ledger.recent(limit=100_000) if not note.is_settled]
