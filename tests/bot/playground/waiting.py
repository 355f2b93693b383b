"""How tests wait for what happens in another task."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing rings when the server notices a lost connection
            await asyncio.sleep(0.01)
