"""The ledger: the record of every voice note and what became of it, and the only durable truth about them."""

from storage.answers import Answers
from storage.queries import Lookup
from storage.states import Life
from storage.statistics import Figures
from storage.unbroken import unbroken


@unbroken
class Ledger(Life, Answers, Lookup, Figures):
    """All that is asked of the ledger: the life of a note and its answers, looking notes up, and figures over them."""
