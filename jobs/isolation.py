"""Runs a note that may have killed a worker alone, so that it cannot take other notes with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Isolation:
    """Admits notes to the engine of one process: any number of ordinary ones, or one suspect by itself."""

    def __init__(self) -> None:
        """Start with no note inside."""
        self._inside = 0
        self._suspects = 0
        self._is_exclusive = False
        self._left = asyncio.Event()

    @property
    def has_suspects(self) -> bool:
        """Whether a suspect is inside, or waits to be: a new note would only wait."""
        return self._suspects > 0

    @asynccontextmanager
    async def slot(self, *, suspect: bool) -> AsyncIterator[None]:
        """Hold a slot for as long as the block runs, a suspect with no other note inside; wait until that can be."""
        self._suspects += suspect
        try:
            await self._until_admitted(exclusive=suspect)
            self._inside += 1
            self._is_exclusive = suspect
            try:
                yield
            finally:
                self._inside -= 1
                self._is_exclusive = False
                self._left.set()
        finally:
            self._suspects -= suspect

    async def _until_admitted(self, *, exclusive: bool) -> None:
        while self._inside if exclusive else self._is_exclusive:
            self._left.clear()
            await self._left.wait()
