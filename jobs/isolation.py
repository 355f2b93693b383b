"""Who is in the engine with whom: a note over which a worker died goes alone, so that it cannot take others with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Company:
    """The notes that are decoded and transcribed in one process."""

    def __init__(self) -> None:
        """Nobody is there."""
        self._inside = 0
        self._suspects = 0
        self._alone = False
        self._left = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        """Tell whether a suspect is alone, or waits to be: a newcomer would only wait."""
        return self._suspects > 0

    @asynccontextmanager
    async def joined(self, *, suspect: bool) -> AsyncIterator[None]:
        """Be inside for as long as the block runs, a suspect with nobody else; wait until that can be."""
        self._suspects += suspect
        try:
            await self._admitted(alone=suspect)
            self._inside += 1
            self._alone = suspect
            try:
                yield
            finally:
                self._inside -= 1
                self._alone = False
                self._left.set()
        finally:
            self._suspects -= suspect

    async def _admitted(self, *, alone: bool) -> None:
        while self._inside if alone else self._alone:
            self._left.clear()
            await self._left.wait()
