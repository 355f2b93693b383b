"""Helper that waits for a condition."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Wait up to 10 s until `condition` holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing rings when the server notices a lost connection
            await asyncio.sleep(0.01)
