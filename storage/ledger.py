"""The ledger: the record of every voice note and what became of it, and the only durable truth about them."""

from contextlib import AbstractAsyncContextManager

from storage.artefacts.rows import ArtefactRows
from storage.dead_letters import DeadLetters
from storage.deliveries import Deliveries
from storage.queries import NoteQueries
from storage.replies import Replies
from storage.states import NoteStates
from storage.statistics import Statistics
from storage.uninterruptible import uninterruptible


@uninterruptible
class Ledger(NoteStates, Deliveries, Replies, NoteQueries, Statistics, DeadLetters, ArtefactRows):
    """The whole ledger: states of notes, replies, queries, statistics, artefacts, and what could not be recorded."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Let all calls inside the block be one transaction; see `Database.transaction`."""
        return self._database.transaction()
