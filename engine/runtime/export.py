"""Keeps a model's network in the form that runs without torch. Knows no sound; a process of its own does the writing.

`python -m engine.runtime.export MODEL FOLDER PRECISION` is that process: the memory that it takes ends with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from engine.errors import ExportFailed, ExportsClosed
from engine.runtime.file_lock import alone

Precision = Literal["fp32", "int8", "int8-halved"]
OnProgress = Callable[[int, int], None]

VERSION = 1
SETTINGS, WEIGHTS = "config.yaml", "model.pt"
SOURCES = (SETTINGS, WEIGHTS)
ANYONE_WRITES = 0o222
NOT_EXPORTABLE = 3
SAID_EVERY_BYTES = 8_000_000


class NotExportable(Exception):
    """The model is of a kind that cannot be written so, or it is damaged; `str()` says what was found."""


class Decision(BaseModel):
    """Which arithmetic is used, and why. `agreement` is the share of characters that int8 read as fp32 does."""

    precision: Precision
    reason: str
    agreement: float | None = None
    recordings: int = 0


class Stamp(BaseModel):
    """From what an export was made, and what was found out about it; `unfit` tells why there can be none."""

    version: int = VERSION
    sha256: str
    files: dict[str, tuple[int, ...]]
    decision: Decision | None = None
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of the model folder `model`: within it, or in `models_dir` where it cannot be written to."""

    model: Path
    models_dir: Path

    @property
    def folder(self) -> Path:
        """Where they are, or will be."""
        within = self.model / "earshot"
        if within.is_dir() or _is_open(self.model):
            return within
        place = hashlib.sha256(str(self.model.absolute()).encode()).hexdigest()[:12]
        return self.models_dir / "exports" / f"{self.model.name}-{place}"

    @property
    def closed(self) -> Path | None:
        """The folder that keeps exports from being written here; None where they can be."""
        folder = self.folder.absolute()
        nearest = next(place for place in (folder, *folder.parents) if os.access(place, os.F_OK))
        return None if _is_open(nearest) else nearest

    def path(self, precision: Precision) -> Path:
        """Give the file that holds the network."""
        return self.folder / f"{precision}.onnx"

    def has(self, precision: Precision) -> bool:
        """Tell whether the network is there, and of the model as it is now."""
        stamp = self._stamp(precision)
        return stamp is not None and not stamp.unfit and self.path(precision).is_file()

    def unfit(self, precision: Precision) -> str:
        """Tell why the model as it is now cannot be written so, "" where nothing is known against it."""
        stamp = self._stamp(precision)
        return stamp.unfit if stamp is not None else ""

    def network(self, precision: Precision, on_progress: OnProgress = lambda *_: None) -> Path:
        """Give the file that holds the network, written anew where it is not there or the model has changed.

        `on_progress` is told the bytes done and the bytes in all, again and again.

        Raises:
            NotExportable: this cannot be done with this model.
            ExportFailed: the machine did not let it be written.
        """
        if not self.has(precision):
            with self.alone(".lock"):
                self._write(precision, on_progress)
        return self.path(precision)

    @contextmanager
    def alone(self, lock: str) -> Iterator[None]:
        """Wait until no other process holds this lock of the exports.

        Raises:
            ExportsClosed: the folder cannot be written to.
            ExportFailed: the machine does not let it be.
        """
        if closed := self.closed:
            raise ExportsClosed(model=str(self.model), folder=str(closed))
        with ExitStack() as held:
            with _or_failed(self.model):
                self.folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(self.folder / lock))
            yield

    def decision(self, precision: Precision) -> Decision | None:
        """Give what was decided about this precision, None where nothing was or the model has changed."""
        stamp = self._stamp(precision)
        return stamp.decision if stamp is not None else None

    def keep(self, precision: Precision, decision: Decision) -> None:
        """Keep what was decided about this precision."""
        with suppress(OSError):  # then it is decided again at the next start
            stamp = self._stamp(precision) or Stamp(sha256=fingerprint(self.model), files=_marks(self.model))
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder / f"{precision}.json", stamp.model_copy(update={"decision": decision}))

    def drop(self, precision: Precision) -> None:
        """Remove a network that is not needed, and keep what was decided about it."""
        with suppress(OSError):
            self.path(precision).unlink(missing_ok=True)
            self.path(precision).with_suffix(".weights").unlink(missing_ok=True)

    def _write(self, precision: Precision, on_progress: OnProgress) -> None:
        """Write a network, unless another process has just done so."""
        if self.has(precision):
            return
        if unfit := self.unfit(precision):
            raise NotExportable(unfit)
        decision = self.decision(precision)
        _run(self.model, self.folder, precision, on_progress)
        if decision is not None:
            self.keep(precision, decision)

    def _stamp(self, precision: Precision) -> Stamp | None:
        """Read a stamp if it is of the model as it is now; of files that only look newer, the content counts."""
        path = self.folder / f"{precision}.json"
        try:
            stamp = Stamp.model_validate_json(path.read_bytes())
            files = _marks(self.model)
        except (OSError, ValidationError):
            return None
        if stamp.version != VERSION or (stamp.files != files and stamp.sha256 != fingerprint(self.model)):
            return None
        if stamp.files != files:
            stamp = stamp.model_copy(update={"files": files})
            with suppress(OSError):
                _write(path, stamp)
        return stamp


def fingerprint(model: Path) -> str:
    """Give the SHA-256 of all that an export is made from."""
    return _fingerprint(model, tuple(_marks(model).values()))


@lru_cache(maxsize=4)  # of a folder where no stamp can be brought up to date it is asked again and again
def _fingerprint(model: Path, _state: tuple[tuple[int, ...], ...]) -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        with (model / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _is_open(folder: Path) -> bool:
    """Tell whether files can be made in it; a mode that lets nobody write is meant, even for root."""
    return folder.is_dir() and os.access(folder, os.W_OK) and bool(folder.stat().st_mode & ANYONE_WRITES)


def _marks(model: Path) -> dict[str, tuple[int, ...]]:
    """Give what cannot all stay the same when a file is written or replaced, not even where its time is set back."""
    found = {name: (model / name).stat() for name in SOURCES}
    return {name: (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for name, stat in found.items()}


def _write(path: Path, stamp: Stamp) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(stamp.model_dump_json(indent=1), encoding="utf-8")
    partial.replace(path)


@contextmanager
def _or_failed(model: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportFailed(model=str(model), reason=error.strerror or str(error)) from error


def _run(model: Path, folder: Path, precision: Precision, on_progress: OnProgress) -> None:
    said = ""
    with _or_failed(model):
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, and paths of the owner's
            [sys.executable, "-m", "engine.runtime.export", str(model.absolute()), str(folder.absolute()), precision],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    with process:
        for line in process.stdout or ():
            match line.split():
                case ["Progress", done, "of", total]:
                    on_progress(int(done), int(total))
                case [_, *_]:
                    said = line.strip()[:200]
    if process.returncode == NOT_EXPORTABLE:
        raise NotExportable(said)
    if process.returncode != 0:
        raise ExportFailed(model=str(model), reason=said or f"it ended with {process.returncode}")


def main(model: Path, folder: Path, precision: Precision) -> int:
    """Write one network, then the stamp that makes it count."""
    from engine.recognizers.sensevoice_onnx import write_sensevoice  # noqa: PLC0415 - only where something is exported

    stamp = Stamp(files=_marks(model), sha256=fingerprint(model))
    partial = folder / f".{precision}.partial"
    partial.mkdir(exist_ok=True)
    try:
        write_sensevoice(model, partial / f"{precision}.onnx", precision, _Said())
        _write(partial / f"{precision}.json", stamp)
        for suffix in (".weights", ".onnx", ".json"):
            (partial / f"{precision}{suffix}").replace(folder / f"{precision}{suffix}")
    except (KeyError, IndexError, ValueError) as unfit:
        reason = f"{type(unfit).__name__}: {unfit}".replace("\n", " ")
        sys.stdout.write(reason)
        with suppress(OSError):  # then it is tried again at the next start
            _write(folder / f"{precision}.json", stamp.model_copy(update={"unfit": reason[:200]}))
        return NOT_EXPORTABLE
    except OSError as error:
        sys.stdout.write(f"{error.strerror or error}\n")
        return 1
    finally:  # it is as large as the model, and the disk may be full
        shutil.rmtree(partial, ignore_errors=True)
    return 0


class _Said:
    """Says on stdout how far it is, not too often."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, done: int, total: int) -> None:
        if done == total or done - self._last >= SAID_EVERY_BYTES:
            self._last = done
            sys.stdout.write(f"Progress {done} of {total}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))  # type: ignore[arg-type]  # our own caller's
