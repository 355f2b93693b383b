"""Background tasks: kept from the garbage collector, errors logged, awaited at shutdown."""

import asyncio
from collections.abc import Coroutine

import structlog

from jobs.resilience import cancel_and_wait

log = structlog.get_logger(__name__)


class BackgroundTasks:
    """The background tasks of one process."""

    def __init__(self) -> None:
        """Start with no tasks."""
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Run `work` in the background; an exception is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def finish(self, within_s: float) -> None:
        """Wait for all tasks; cancel those that take longer than `within_s`."""
        deadline = asyncio.get_running_loop().time() + within_s
        while self._tasks:
            left_s = deadline - asyncio.get_running_loop().time()
            done, late = await asyncio.wait(self._tasks, timeout=max(0.0, left_s))
            if not done:
                await cancel_and_wait(*late)
                return

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background_task_failed", exc_info=error)
