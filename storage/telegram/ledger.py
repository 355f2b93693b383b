"""The ledger as the Telegram door uses it: with the messages of notes, and the bot's replies to them."""

from storage.ledger import Ledger
from storage.telegram.access import TelegramAccess
from storage.telegram.notes import TelegramNotes
from storage.telegram.replies import Replies


class TelegramLedger(Ledger, TelegramNotes, Replies, TelegramAccess):
    """The whole ledger, and what only Telegram keeps in it."""
