"""A bot, three workers and a Redis as separate processes, as on several machines; a process that dies is restarted."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from jobs.redis_server import RedisServer
from tests.chaos.program import Program
from tests.end_to_end.installation import Installation

WORKERS = 3
PAUSE_S = (0.2, 1.0)  # until a service is started again
READY_S = 60.0
STOP_S = 60.0
READY_WORDS = ("bot_started", "worker_ready")
POLL_S = 0.1


@dataclass(slots=True)
class Service:
    """A place for one process, which is filled again whenever it falls empty, as systemd would."""

    name: str
    role: str
    place: Installation
    dice: random.Random
    process: Program | None = None
    frozen: bool = False
    starts: int = 0
    crashes: list[str] = field(default_factory=list)
    _has_begun: bool = False
    _is_killed: bool = False
    _may_end_with: set[int] = field(default_factory=set)

    @property
    def log(self) -> Path:
        """Where the present process writes its log."""
        return self.place.folder / "logs" / f"{self.name}-{self.starts}.log"

    @property
    def pid(self) -> int:
        """The present process, or the last one."""
        return self.process.pid if self.process else 0

    @property
    def is_ready(self) -> bool:
        """Tell whether its process has begun to work, and is not stopped."""
        if self.process is None or self.process.returncode is not None or self.frozen or self._is_killed:
            return False
        self._has_begun = self._has_begun or has_begun(self.log.read_text())
        return self._has_begun

    async def until_ready(self) -> None:
        """Wait until its process works."""
        async with asyncio.timeout(READY_S):
            while not self.is_ready:  # noqa: ASYNC110 - the log of another process rings no bell
                await asyncio.sleep(POLL_S)

    async def keep(self) -> None:
        """Start the process, and start it again when it ends, until cancelled."""
        while True:
            self.process = process = await self._start()
            await process.wait()
            self.note_end()
            await asyncio.sleep(self.dice.uniform(*PAUSE_S))

    def note_end(self) -> None:
        """Keep it as a crash if the process ended otherwise than it was made to."""
        if self.process is not None and self.process.returncode not in self._may_end_with:
            last_words = " ".join(self.log.read_text().splitlines()[-3:])
            self.crashes.append(f"{self.log.name} ended with {self.process.returncode}: {last_words}")

    async def _start(self) -> Program:
        self.frozen = self._is_killed = self._has_begun = False
        self._may_end_with.clear()
        self.starts += 1
        self.log.parent.mkdir(exist_ok=True)
        self.log.touch()
        return await Program.start((self.role, "--until-stdin-closes"), self.place.environment(), self.log)

    def kill(self) -> None:
        """End the process without a warning."""
        self._is_killed = True
        self._send(signal.SIGKILL, -signal.SIGKILL)

    async def end(self) -> None:
        """Kill what is left of the process, and wait until it is gone."""
        self.kill()
        if self.process is not None:
            await self.process.wait()

    def stop(self) -> None:
        """Freeze the process."""
        self.frozen = True
        self._send(signal.SIGSTOP)

    def wake(self) -> None:
        """Wake the process from its freeze."""
        self.frozen = False
        self._send(signal.SIGCONT)

    async def terminate(self) -> None:
        """Ask the process to end, and wait until it has."""
        process = self.process
        self._send(signal.SIGTERM, 0)
        if process is not None:
            await asyncio.wait_for(process.wait(), STOP_S)

    def _send(self, number: signal.Signals, *codes: int) -> None:
        self._may_end_with.update(codes)
        if self.process is not None:
            self.process.send_signal(number)


@dataclass(slots=True)
class Deployment:
    """All services of one installation, and their Redis."""

    place: Installation
    redis: RedisServer
    bot: Service
    workers: list[Service]
    keepers: list[asyncio.Task[None]] = field(default_factory=list)
    redis_in_use: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def services(self) -> list[Service]:
        """The bot and the workers."""
        return [self.bot, *self.workers]

    @property
    def crashes(self) -> list[str]:
        """What ended though nobody had ended it."""
        return [crash for service in self.services for crash in service.crashes]

    async def ready(self) -> None:
        """Wait until everybody works."""
        await asyncio.gather(*(service.until_ready() for service in self.services))

    async def terminate(self) -> None:
        """Ask everybody who works to end, and wait until they have."""
        await asyncio.gather(*(service.terminate() for service in self.services if service.is_ready))

    async def close(self) -> None:
        """End everybody who works in good order; nobody is started again."""
        await self.ready()
        for keeper in self.keepers:
            keeper.cancel()
        await asyncio.gather(*self.keepers, return_exceptions=True)
        await asyncio.gather(*(self._ended(service) for service in self.services))

    async def _ended(self, service: Service) -> None:
        await service.terminate()
        service.note_end()

    async def kill_redis(self, pause_s: float) -> None:
        """Kill the Redis and start it again after a pause; it is empty then."""
        async with self.redis_in_use:
            if self.redis.process is not None:
                self.redis.process.kill()
                await self.redis.process.wait()
            await asyncio.sleep(pause_s)
            await self.redis.start()

    async def freeze_redis(self, seconds: float) -> None:
        """Let the Redis stand still."""
        async with self.redis_in_use:
            if self.redis.process is None:
                return
            self.redis.process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.redis.process.send_signal(signal.SIGCONT)

    async def flush_redis(self) -> None:
        """Empty the Redis."""
        async with self.redis_in_use, Redis.from_url(self.redis.url) as client:
            await client.flushall()


@asynccontextmanager
async def deployed(place: Installation, dice: random.Random) -> AsyncIterator[Deployment]:
    """Keep a deployment running inside the block; afterwards nothing of it is left."""
    redis = RedisServer(place.folder)
    workers = [Service(f"worker-{number}", "worker", place, dice) for number in range(1, WORKERS + 1)]
    deployment = Deployment(place, redis, Service("bot", "bot", place, dice), workers)
    await redis.start()
    place.settings["EARSHOT_REDIS__URL"] = redis.url
    deployment.keepers = [asyncio.create_task(service.keep()) for service in deployment.services]
    try:
        yield deployment
    finally:
        for keeper in deployment.keepers:
            keeper.cancel()
        await asyncio.gather(*deployment.keepers, return_exceptions=True)
        await asyncio.gather(*(service.end() for service in deployment.services))
        await redis.stop()


def has_begun(log: str) -> bool:
    """Tell by its log whether a process has come to its work."""
    return any(words in log for words in READY_WORDS)
