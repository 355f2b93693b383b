"""Wakes all coroutines that wait for a change."""

import asyncio


class Notifier:
    """A condition without a lock: each notification wakes those who wait at that moment."""

    def __init__(self) -> None:
        """Create it with nobody waiting."""
        self._event = asyncio.Event()

    def notify_all(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s` seconds for the next notification; False when none came."""
        event = self._event
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        return True
