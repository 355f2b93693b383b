"""A child process that is restarted with back-off when it exits, and given up if it can never start."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

EARLY_S = 30.0
EARLY_ENDS = 3
WRONG_USAGE = 2
NOT_STARTED = 0  # no fault of its own: it is never given up for that
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
ERROR_PREFIX = b"earshot: "


class CannotStart(Exception):
    """The process exited with an error several times right after its start."""


class Child:
    """A child process of ours, such as the bot or a worker."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Prepare `python ARGUMENTS…`; `keep_running` starts it."""
        self.name, self._arguments, self.environment = name, arguments, environment
        self._process: Process | None = None
        self._stopping = False
        self._error_line = ""

    async def keep_running(self) -> None:
        """Run it until `stop` is called.

        Raises:
            CannotStart: It exited with an error `EARLY_ENDS` times right after its start, or with "wrong usage".
        """
        ends = early = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._try_run()
            if self._stopping:
                return
            lived_long = time.monotonic() - started > EARLY_S
            ends = 1 if lived_long else ends + 1
            early = early + 1 if code > 0 and not lived_long else 0
            if early == EARLY_ENDS or code == WRONG_USAGE:
                raise CannotStart(
                    self._error_line or f"The {self.name} cannot start (exit code {code}); see the lines above."
                )
            await self._pause(code, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (ends - 1)))

    async def stop(self, within_s: float) -> None:
        """Stop it with SIGTERM, and with SIGKILL after `within_s`."""
        self._stopping = True
        if (process := self._process) is None or process.returncode is not None:
            return
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), within_s)
        except TimeoutError:
            log.warning("killed", child=self.name, after_s=within_s)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """Stop it with SIGKILL."""
        self._stopping = True
        if self._process is not None:
            _signal(self._process, signal.SIGKILL)

    async def _try_run(self) -> int:
        """Run it once and return its exit code; `NOT_STARTED` if the system cannot start it, such as without memory."""
        try:
            return await self._run()
        except OSError as error:
            log.warning("not_started", child=self.name, error=str(error))
            return NOT_STARTED

    async def _run(self) -> int:
        self._error_line = ""
        # A session of its own: Ctrl-C in a terminal reaches us alone, so that we end the children in their order.
        # It exits when this pipe closes: see bot/process/parent_watch.py.
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments, env=self.environment, stdin=PIPE, stderr=PIPE, start_new_session=True
        )
        log.debug("started", child=self.name, pid=process.pid)
        try:
            await asyncio.gather(self._forward_lines(process.stderr), process.wait())
        except BaseException:
            _signal(process, signal.SIGKILL)
            raise
        return process.returncode or 0

    async def _forward_lines(self, lines: asyncio.StreamReader | None) -> None:
        """Forward the child's log lines to stderr, and keep the line with which it reports an error."""
        rest = b""
        while lines and (chunk := await lines.read(65536)):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._handle_line(line + b"\n")
        self._handle_line(rest)

    def _handle_line(self, line: bytes) -> None:
        if line.startswith(ERROR_PREFIX):
            self._error_line = line.removeprefix(ERROR_PREFIX).decode(errors="replace").strip()
        else:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), line)

    async def _pause(self, code: int, pause_s: float) -> None:
        log.warning("ended", child=self.name, code=code, said=self._error_line or None, again_in_s=pause_s)
        await asyncio.sleep(pause_s)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)
