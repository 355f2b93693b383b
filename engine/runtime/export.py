"""Files of exported networks, below models_dir/exports/<SHA-256 of the model's files>. Knows no model and no audio.

A process of its own writes them, so that its memory, a multiple of the model's size, ends with it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from engine.errors import ExportFailed, ExportsClosed
from engine.runtime.precision import Decision, Precision

OnProgress = Callable[[int, int], None]
"""Called again and again with the bytes that are written and all that there will be."""
Marks = tuple[tuple[int, ...], ...]
HASHES = TypeAdapter(dict[str, tuple[Marks, str]])  # by the model's path: the marks of its files, and their hash

VERSION = 2  # a new one makes all exports anew
SOURCES = ("config.yaml", "model.pt")
NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
NOT_EXPORTABLE = 3  # the writing process's exit status


class NotExportable(Exception):
    """The model is of a kind that cannot be exported, or damaged; `str()` says what was found."""


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of one model.

    `writer` is the module that `python -m` runs with MODEL, FOLDER and PRECISION; it calls `write_export`.
    """

    model: Path
    models_dir: Path
    writer: str

    @property
    def folder(self) -> Path:
        """The folder of the exports, whether or not it is there.

        Raises:
            ExportFailed: The model's files cannot be read.
        """
        place = self.models_dir / "exports"
        try:
            found = (path.stat() for path in map(self.model.joinpath, SOURCES))
            # A write changes one of these even where the file's time is set back.
            marks = ((VERSION,), *((stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for stat in found))
            return place / _sources_sha256(self.model.absolute(), marks, place)
        except OSError as error:
            raise self._failed(error) from error

    def path(self, precision: Precision) -> Path:
        """Return the file that holds the network, whether or not it is there."""
        return self.folder / f"{precision}.onnx"

    def has(self, precision: Precision) -> bool:
        """Tell whether the model is exported in this precision."""
        return self.path(precision).is_file()

    @property
    def unfit(self) -> str:
        """Why the model cannot be exported, "" where nothing is known against it."""
        with suppress(OSError):
            return (self.folder / "unfit.txt").read_text(encoding="utf-8")
        return ""

    def decision(self, precision: Precision) -> Decision | None:
        """Return what was decided about this kind of int8, None where nothing was."""
        with suppress(OSError, ValidationError):
            return Decision.model_validate_json((self.folder / f"{precision}.json").read_bytes())
        return None

    def check_writable(self) -> None:
        """Make the folder, and check that files can be made in it.

        Raises:
            ExportsClosed: They cannot.
            ExportFailed: The disk is full or fails.
        """
        folder = self.folder.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            if error.errno not in NOT_WRITABLE:
                raise self._failed(error) from error
            closed = next(place for place in (folder, *folder.parents) if place.exists())
            raise ExportsClosed(model=str(self.model), folder=str(closed)) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the exports: one process at a time writes, decides and removes.

        Raises:
            ExportsClosed: The folder cannot be written to.
            ExportFailed: The lock cannot be had, or the disk is full or fails.
        """
        self.check_writable()
        with ExitStack() as held:
            try:
                held.enter_context(FileLock(self.folder / ".lock"))
            except OSError as error:
                raise self._failed(error) from error
            yield

    def write(self, precision: Precision, on_progress: OnProgress = lambda *_: None) -> None:
        """Export the model, unless that is done. The caller holds the lock.

        Raises:
            NotExportable: This model cannot be exported.
            ExportFailed: The machine does not let it be written.
        """
        if self.unfit:
            raise NotExportable(self.unfit)
        if self.has(precision):
            return
        try:
            self._run_writer(precision, on_progress)
        except NotExportable as unfit:
            self._keep("unfit.txt", str(unfit))
            raise

    def keep(self, precision: Precision, decision: Decision) -> None:
        """Remember what was decided about this kind of int8."""
        self._keep(f"{precision}.json", decision.model_dump_json(indent=1))

    def drop(self, precision: Precision) -> None:
        """Remove a network that is not needed; what was decided about it stays."""
        with suppress(OSError):
            self.path(precision).unlink(missing_ok=True)
            self.path(precision).with_suffix(".weights").unlink(missing_ok=True)

    def _keep(self, name: str, content: str) -> None:
        with suppress(OSError):  # then the next start finds it out again
            _replace(self.folder / name, content)

    def _failed(self, error: OSError) -> ExportFailed:
        return ExportFailed(model=str(self.model), reason=error.strerror or str(error))

    def _run_writer(self, precision: Precision, on_progress: OnProgress) -> None:
        arguments = [str(self.model.absolute()), str(self.folder.absolute()), precision]
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, and paths of the owner's
                [sys.executable, "-m", self.writer, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise self._failed(error) from error
        last_line = ""
        with process:
            for line in process.stdout or ():
                match line.split():
                    case ["Progress", done, "of", total]:
                        on_progress(int(done), int(total))
                    case [_, *_]:
                        last_line = line.strip()[:200]
        if process.returncode == NOT_EXPORTABLE:
            raise NotExportable(last_line)
        if process.returncode != 0:
            reason = last_line or f"it ended with {process.returncode}"
            raise ExportFailed(model=str(self.model), reason=reason)


def write_export(folder: Path, precision: Precision, write: Callable[[Path, OnProgress], None]) -> int:
    """Write a network whole or not at all, in the writing process; return its exit status.

    `write` is given the path of the .onnx file, beside which it may put a .weights file.
    """
    partial = folder / f".{precision}.partial"
    try:
        partial.mkdir(exist_ok=True)
        write(partial / f"{precision}.onnx", _print_progress)
        for suffix in (".weights", ".onnx"):  # the .onnx file comes last: it is what counts
            (partial / f"{precision}{suffix}").replace(folder / f"{precision}{suffix}")
    except (KeyError, IndexError, ValueError) as unfit:
        sys.stdout.write(f"{type(unfit).__name__}: {unfit}".replace("\n", " "))
        return NOT_EXPORTABLE
    except OSError as error:
        sys.stdout.write(f"{error.strerror or error}\n")
        return 1
    finally:  # it is as large as the model, and the disk may be full
        shutil.rmtree(partial, ignore_errors=True)
    return 0


def _print_progress(done: int, total: int) -> None:
    sys.stdout.write(f"Progress {done} of {total}\n")
    sys.stdout.flush()


@lru_cache(maxsize=4)  # where nothing can be written, a gigabyte is hashed once a process and not at every question
def _sources_sha256(model: Path, marks: Marks, place: Path) -> str:
    """Return the SHA-256 of a model's files, hashed anew only if their marks are not those in `place`/hashes.json."""
    hashes: dict[str, tuple[Marks, str]] = {}
    with suppress(OSError, ValidationError):
        hashes = HASHES.validate_json((place / "hashes.json").read_bytes())
    marks_before, sha256_before = hashes.pop(str(model), ((), ""))
    if marks_before == marks:
        return sha256_before
    digest = hashlib.sha256(str(VERSION).encode())
    for name in SOURCES:
        with (model / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    hashes[str(model)] = marks, digest.hexdigest()
    if sha256_before and sha256_before not in {sha256 for _, sha256 in hashes.values()}:
        shutil.rmtree(place / sha256_before, ignore_errors=True)  # exports of what the model was before
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        _replace(place / "hashes.json", HASHES.dump_json(hashes, indent=1).decode())
    return digest.hexdigest()


def _replace(path: Path, content: str) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)
