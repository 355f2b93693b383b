"""Sandbox for the decoder: a process that forks a child with resource limits for each file.

The process has imported the decoder already, so that a child starts in about a millisecond. Each request passes three
descriptors: a socket for the answer, the file to read and the file to write. The child opens nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.audio.decoder import Decoded, decode
from engine.errors import AudioFault, AudioUnreadable, Cancelled, DecodingLimitExceeded, fault_from

if TYPE_CHECKING:
    from typing import NoReturn

PROJECT = Path(__file__).resolve().parents[2]
START = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from engine.audio.sandbox import serve; serve()"
MESSAGE_BYTES = 4096
DESCRIPTORS = 3
EXIT_WAIT_S = 0.2
POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What decoding one file may cost."""

    max_audio_s: float
    cpu_s: int = 120
    wall_s: float = 240
    memory_bytes: int = 1 << 30
    output_bytes: int = 1 << 31

    def are_reached_since(self, started: float) -> bool:
        """Tell whether a child that started then must have used up its time."""
        return time.monotonic() - started >= min(self.cpu_s, self.wall_s) - 0.5


class DecoderProcess:
    """The parent's end. Threads may share it; their files are decoded in parallel."""

    def __init__(self) -> None:
        """Start no process yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def decode(
        self, source: BinaryIO, sink: BinaryIO, limits: Limits, cancelled: threading.Event | None = None
    ) -> Decoded:
        """Decode `source` into `sink`.

        Raises:
            AudioFault: the decoder refused the file, ran into a limit, or crashed over it.
            Cancelled: `cancelled` was set; it is checked several times a second.
        """
        started = time.monotonic()
        cancelled = cancelled or threading.Event()
        answer = self._ask(source, sink, limits, cancelled)
        if answer is None and not limits.are_reached_since(started):
            # The process may have been killed, which is not the file's fault.
            self._await_exit()
            sink.seek(0)
            sink.truncate()
            answer = self._ask(source, sink, limits, cancelled)
        if answer is not None:
            return _to_decoded(answer)
        raise DecodingLimitExceeded if limits.are_reached_since(started) else AudioUnreadable

    def _ask(
        self, source: BinaryIO, sink: BinaryIO, limits: Limits, cancelled: threading.Event
    ) -> dict[str, object] | None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(json.dumps(_message(limits)).encode())
            self._send_or_restart([theirs.fileno(), source.fileno(), sink.fileno()])
            theirs.close()
            return _read_answer(ours, limits.wall_s, cancelled)

    def start(self) -> None:
        """Start the process, so that the first file need not wait for it."""
        with self._lock:
            if not self._is_alive():
                self._stop()
                self._spawn()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _await_exit(self) -> None:
        """Wait a moment: an ending process closes its sockets before `poll` sees that it has ended."""
        with self._lock, contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(EXIT_WAIT_S)

    def _send_or_restart(self, descriptors: list[int]) -> None:
        self.start()
        try:
            self._send(descriptors)
        except OSError:  # it was killed meanwhile
            self.close()
            self.start()
            self._send(descriptors)

    def _send(self, descriptors: list[int]) -> None:
        with self._lock:
            if self._control is None:
                raise BrokenPipeError
            socket.send_fds(self._control, [b"\n"], descriptors)

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own program
                [sys.executable, "-I", "-c", START],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def serve() -> NoReturn:
    """Run the sandbox process: answer requests on standard input until the parent closes it."""
    import av  # noqa: F401, PLC0415 - loaded once here for all children, and never in the parent

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a stopping worker finishes its recording, then closes our input
    control = socket.socket(fileno=0)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            _answer(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(reply: int, source: int, sink: int) -> NoReturn:
    """Run the child that decodes one file, and exit."""
    os.close(0)
    with socket.socket(fileno=reply) as parent:
        limits = Limits(**json.loads(parent.recv(MESSAGE_BYTES)))
        try:
            _exit_with(parent)
            _restrict(limits)
            with open(sink, "wb") as samples:
                decoded = decode(source, samples, max_audio_s=limits.max_audio_s)
            answer: dict[str, object] = asdict(decoded)
        except AudioFault as fault:
            answer = {"code": fault.code, "params": fault.params}
        except (MemoryError, OSError):
            answer = {"code": DecodingLimitExceeded.code, "params": {}}
        except BaseException:  # noqa: BLE001 - whatever else a malicious file causes ends here
            answer = {"code": AudioUnreadable.code, "params": {}}
        parent.sendall(json.dumps(answer).encode())
    os._exit(0)


def _exit_with(parent: socket.socket) -> None:
    """Let the system end this process, even inside the decoder, when the parent closes its end of the socket.

    On macOS this signal ends no process; there it runs on to its limits.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent, fcntl.F_SETFL, fcntl.fcntl(parent, fcntl.F_GETFL) | os.O_ASYNC)
    with contextlib.suppress(BlockingIOError):  # nothing to read: the parent is there
        parent.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        os._exit(0)  # the parent was gone before the signal was set up


def _restrict(limits: Limits) -> None:
    """Limit this process. The alarm and the CPU limit end it at once, even inside the decoder."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)
    for kind, value in (
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(kind, (value, value))


def _message(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name) for name in Limits.__slots__}


def _read_answer(parent: socket.socket, wall_s: float, cancelled: threading.Event) -> dict[str, object] | None:
    """Give the child's answer, or None if it died without one."""
    parent.settimeout(POLL_S)
    deadline = time.monotonic() + wall_s + 5
    while time.monotonic() < deadline:
        if cancelled.is_set():
            raise Cancelled
        try:
            answer = parent.recv(MESSAGE_BYTES)
        except TimeoutError:
            continue
        except OSError:
            return None
        return dict(json.loads(answer)) if answer else None
    return None


def _to_decoded(answer: dict[str, object]) -> Decoded:
    match answer:
        case {"channels": int(channels), "declared_s": None | float() as declared_s}:
            return Decoded(channels=channels, declared_s=declared_s)
        case {"code": str(code), "params": dict(params)}:
            raise fault_from(code, params)
        case _:
            raise AudioUnreadable
