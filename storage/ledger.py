"""The ledger: the record of every voice note and what became of it, and the only durable truth about them."""

from contextlib import AbstractAsyncContextManager

from storage.account_settings import AccountSettings
from storage.artefacts.rows import ArtefactRows
from storage.dead_letters import DeadLetters
from storage.deliveries import Deliveries
from storage.queries import NoteQueries
from storage.states import NoteStates
from storage.statistics import Statistics
from storage.uninterruptible import uninterruptible


@uninterruptible
class Ledger(NoteStates, Deliveries, NoteQueries, Statistics, AccountSettings, DeadLetters, ArtefactRows):
    """The whole ledger: notes, deliveries, statistics, settings, artefacts, and what could not be recorded."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Let all calls inside the block be one transaction; see `Database.transaction`."""
        return self._database.transaction()
