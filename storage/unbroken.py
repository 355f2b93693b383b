"""Lets what was begun in the database end, also when whoever asked for it is cancelled in the middle.

A cancellation inside SQLAlchemy closes the connection; with aiosqlite 0.22 that can wait for ever, since the connection
may be closed twice and the second closing waits for a thread that has ended.
"""

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=type)


def unbroken(kind: Kind) -> Kind:
    """Make every public coroutine of a class run to its end; who was cancelled hears of it then."""
    for name, method in inspect.getmembers(kind, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            setattr(kind, name, _to_its_end(method))
    return kind


def _to_its_end(method: Callable[Parameters, Awaitable[Result]]) -> Callable[Parameters, Awaitable[Result]]:
    @functools.wraps(method)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        running = asyncio.ensure_future(method(*args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            with contextlib.suppress(asyncio.CancelledError, asyncio.InvalidStateError):
                running.exception()  # nobody is left to tell
            raise

    return run
