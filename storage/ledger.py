"""The ledger: the record of every voice note and what became of it, and the only durable truth about them."""

from storage.answers import Answers
from storage.figures import Figures
from storage.life import Life
from storage.lookup import Lookup
from storage.unbroken import unbroken


@unbroken
class Ledger(Life, Answers, Lookup, Figures):
    """All that is asked of the ledger: the life of a note and its answers, looking notes up, and figures over them."""
