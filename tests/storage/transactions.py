"""Counts the transactions of a ledger, with the calls that they consist of."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from storage.artefacts.rows import ArtefactRows
from storage.telegram.ledger import TelegramLedger

# What a worker asks about all its notes together, at its own pace, however many notes there are.
OF_A_WORKER = {"renew", "owned", "due_deliveries", "orphaned", "adopt_deliveries", "unfinished_by_door", "get_many"}
OF_A_WORKER |= {name for name in vars(ArtefactRows) if not name.startswith("_")}

_call: ContextVar[str] = ContextVar("_call", default="?")


@dataclass
class Transactions:
    """The transactions so far: for each, which calls of the ledger sent statements in it, one name a statement."""

    begun: list[list[str]] = field(default_factory=list)
    _under_way: dict[Connection, list[str]] = field(default_factory=dict)

    @contextmanager
    def counted(self, ledger: TelegramLedger) -> Iterator[None]:
        """Count what is begun inside the block."""
        event.listen(Engine, "begin", self._begin)
        event.listen(Engine, "before_cursor_execute", self._execute)
        try:
            with pytest.MonkeyPatch.context() as patch:
                for name, method in inspect.getmembers(ledger, inspect.iscoroutinefunction):
                    if not name.startswith("_"):
                        patch.setattr(ledger, name, _named(name, method))
                yield
        finally:
            event.remove(Engine, "begin", self._begin)
            event.remove(Engine, "before_cursor_execute", self._execute)

    def of_notes(self) -> list[list[str]]:
        """Give those that were for a note, in their order."""
        return [calls for calls in self.begun if not OF_A_WORKER.issuperset(calls)]

    def _begin(self, connection: Connection) -> None:
        self._under_way[connection] = []
        self.begun.append(self._under_way[connection])

    def _execute(self, connection: Connection, _: object, statement: str, *__: object) -> None:
        if connection in self._under_way and not statement.startswith("BEGIN"):
            self._under_way[connection].append(_call.get())


def _named(name: str, method: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    @wraps(method)
    async def call(*args: object, **kwargs: object) -> object:
        before = _call.set(name)
        try:
            return await method(*args, **kwargs)
        finally:
            _call.reset(before)

    return call
