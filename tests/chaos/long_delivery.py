"""The last step of a worker alone: it delivers a text of several messages."""

from bot.chat.delivery import Delivery
from bot.chat.telegram_door import TelegramDoor
from bot.config.settings import Settings
from bot.process.connections import open_ledger
from bot.telegram.client import make_bot
from engine.transcript import Segment, Transcript

LONG = " ".join(f"Sentence number {number} of many." for number in range(300))
TRANSCRIPT = Transcript(language="en", duration=9.0, segments=(Segment(start=0.0, end=9.0, text=LONG),), model="fake")


async def deliver_long_text(settings: Settings, note_id: str) -> None:
    """Tell the chat, heeding no flood budget."""
    async with make_bot(settings.telegram) as bot, open_ledger(settings) as ledger:
        note = await ledger.get(note_id)
        assert note is not None
        await TelegramDoor(Delivery(bot, ledger)).done(note, TRANSCRIPT)
