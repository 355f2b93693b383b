"""Lets calls complete although their caller is cancelled: those of the database, and others that must not stop midway.

A cancellation inside SQLAlchemy closes the connection; with aiosqlite 0.22 that can wait for ever, since the connection
may be closed twice, and the second close waits for a thread that has ended. What has not begun to write yet can ask
whether its caller still waits for it.
"""

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=type)


@dataclass
class _Call:
    is_cancelled: bool = False


_call: ContextVar[_Call | None] = ContextVar("_call", default=None)


def caller_has_cancelled() -> bool:
    """Return whether the caller of the uninterruptible method that runs here was cancelled."""
    call = _call.get()
    return call is not None and call.is_cancelled


def uninterruptible(kind: Kind) -> Kind:
    """Make every public coroutine method of a class run to its end before a cancellation of its caller is raised."""
    for name, method in inspect.getmembers(kind, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            setattr(kind, name, run_to_end(method))
    return kind


def run_to_end(method: Callable[Parameters, Awaitable[Result]]) -> Callable[Parameters, Awaitable[Result]]:
    """Make a coroutine function run to its end before a cancellation of its caller is raised."""

    @functools.wraps(method)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        call = _call.get() or _Call()
        before = _call.set(call)
        running = asyncio.ensure_future(method(*args, **kwargs))
        _call.reset(before)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            call.is_cancelled = True
            while not running.done():
                with contextlib.suppress(asyncio.CancelledError):  # who ends a task may cancel it again and again
                    await asyncio.wait({running})
            with contextlib.suppress(asyncio.CancelledError, asyncio.InvalidStateError):
                running.exception()  # nobody is left to raise it to
            raise

    return run
