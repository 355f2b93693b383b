"""The ledger: the record of every voice note and what became of it, and the only durable truth about them."""

from storage.figures import Figures
from storage.life import Life
from storage.lookup import Lookup
from storage.unbroken import unbroken


@unbroken
class Ledger(Life, Lookup, Figures):
    """Everything that is asked of the ledger: the life of a note, looking notes up, and figures over them."""
