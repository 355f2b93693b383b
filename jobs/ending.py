"""Ends tasks that miss a cancellation: redis-py sends with `asyncio.wait_for`, which in Python 3.11 swallows some."""

import asyncio

STUBBORN_S = 1.0


async def end(*tasks: asyncio.Task[object]) -> None:
    """Cancel tasks again and again until all have ended. What they raised stays with them."""
    while going_on := {task for task in tasks if not task.done()}:
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on, timeout=STUBBORN_S)
