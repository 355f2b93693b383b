import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from engine.errors import ExportFailed, ExportsClosed
from engine.recognizers.sensevoice_export import sensevoice_exports
from engine.runtime import export
from engine.runtime.export import Exports, NotExportable
from engine.runtime.precision import Decision
from tests.engine.folders import exported
from tests.engine.permissions import nobody_writes

ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from engine.recognizers.sensevoice_export import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), "fp32"))
"""
SO = Decision(precision="fp32", reason="it was so")


@pytest.fixture
def exports(tiny: Path, tmp_path: Path) -> Exports:
    """The exports of a model of a test's own, none of which is written."""
    return sensevoice_exports(shutil.copytree(tiny, tmp_path / "sensevoice"), tmp_path / "models")


@pytest.fixture
def written(exports: Exports, tiny: Path, exports_dir: Path) -> Exports:
    """As `exports`, with the network in fp32 and a decision."""
    done = exported(tiny, exports_dir, "fp32").parent
    shutil.copytree(done, exports.folder)
    exports.keep("fp32", SO)
    return exports


def test_a_network_is_written_once_below_models_dir_and_nothing_into_the_model_s_folder(exports: Exports) -> None:
    before, progress = contents(exports.model), list[tuple[int, int]]()
    with exports.lock():
        exports.write("fp32", lambda done, total: progress.append((done, total)))
    path = exports.path("fp32")
    assert path.parent.parent == exports.models_dir / "exports"
    assert progress[-1][0] == progress[-1][1] > 0
    at = path.stat().st_mtime_ns
    assert exported(exports.model, exports.models_dir, "fp32").stat().st_mtime_ns == at
    assert contents(exports.model) == before


def test_several_that_want_it_at_once_get_one(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    popen = Mock(wraps=subprocess.Popen)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: exported(exports.model, exports.models_dir, "fp32"), range(3)))
    assert set(paths) == {exports.path("fp32")}
    popen.assert_called_once()


def test_the_same_model_in_another_folder_has_the_same_exports(written: Exports, tmp_path: Path) -> None:
    copy = shutil.copytree(written.model, tmp_path / "copy")
    assert sensevoice_exports(copy, written.models_dir).has("fp32")


@pytest.mark.parametrize("file", ["config.yaml", "model.pt"])
def test_a_model_that_has_changed_is_to_be_exported_and_judged_anew(written: Exports, file: str) -> None:
    old = written.folder
    with (written.model / file).open("ab") as changed:
        changed.write(b"\n# changed\n")
    assert not written.has("fp32")
    assert written.decision("fp32") is None
    assert not old.exists()


def test_exports_of_a_changed_model_stay_while_another_folder_holds_what_it_was(
    written: Exports, tmp_path: Path
) -> None:
    other = sensevoice_exports(shutil.copytree(written.model, tmp_path / "copy"), written.models_dir)
    assert other.has("fp32")
    with (written.model / "config.yaml").open("ab") as changed:
        changed.write(b"\n# changed\n")
    assert not written.has("fp32")
    assert other.has("fp32")


def test_weights_that_only_look_newer_are_the_same(written: Exports) -> None:
    os.utime(written.model / "model.pt", (1, 1))
    assert written.has("fp32")
    assert written.decision("fp32") == SO


def test_other_weights_of_the_same_size_and_time_are_seen(written: Exports) -> None:
    weights = written.model / "model.pt"
    before, content = weights.stat(), bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not written.has("fp32")


def test_a_model_is_hashed_once_and_not_at_every_start(written: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written.folder
    export._sources_sha256.cache_clear()  # noqa: SLF001 - what a new process begins with
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was hashed again"))
    assert written.folder == folder


def test_a_process_hashes_a_model_once_where_nothing_can_be_kept(
    exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports.models_dir.write_bytes(b"a file")
    folder = exports.folder
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was hashed again"))
    assert exports.folder == folder


def test_exports_of_another_version_are_others(written: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    old = written.folder
    monkeypatch.setattr(export, "VERSION", export.VERSION + 1)
    assert written.folder != old
    assert not old.exists()


def test_damaged_hashes_are_made_anew(written: Exports) -> None:
    folder = written.folder
    forget_hashes(written)
    (written.models_dir / "exports/hashes.json").write_text("[")
    assert written.folder == folder


def test_a_decision_outlives_the_network_that_it_dropped(written: Exports) -> None:
    written.drop("fp32")
    assert [path.name for path in written.folder.glob("fp32*")] == ["fp32.json"]
    assert written.decision("fp32") == SO


def test_half_a_network_does_not_count(exports: Exports) -> None:
    partial = exports.folder / ".fp32.partial"
    partial.mkdir(parents=True)
    for half in (partial / "fp32.onnx", exports.folder / "fp32.weights"):
        half.write_bytes(b"half")
    assert not exports.has("fp32")
    assert exported(exports.model, exports.models_dir, "fp32").stat().st_size > len(b"half")
    assert (exports.folder / "fp32.weights").stat().st_size > len(b"half")
    assert not partial.exists()


@pytest.mark.parametrize(("file", "content"), [("model.pt", b"nothing"), ("config.yaml", b"model: Other\n")])
def test_what_is_damaged_or_of_another_kind_is_tried_again_only_when_it_has_changed(
    written: Exports, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes
) -> None:
    whole = (written.model / file).read_bytes()
    (written.model / file).write_bytes(content)
    with written.lock(), pytest.raises(NotExportable, match=file):
        written.write("fp32")
    assert sorted(path.name for path in written.folder.iterdir()) == [".lock", "unfit.txt"]
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was tried again"))
    with written.lock(), pytest.raises(NotExportable, match=file):
        written.write("int8")
    (written.model / file).write_bytes(whole)
    assert not written.unfit


def test_a_full_disk_keeps_nothing_of_what_was_begun(exports: Exports) -> None:
    exports.folder.mkdir()
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(exports.model), str(exports.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "File too large"), done.stderr
    assert list(exports.folder.iterdir()) == []


def test_a_writer_that_dies_leaves_its_last_words(exports: Exports) -> None:
    broken = Exports(exports.model, exports.models_dir, writer="no.such.module")
    with broken.lock(), pytest.raises(ExportFailed, match="no"):
        broken.write("fp32")
    assert not broken.unfit


def test_a_model_that_cannot_be_read_is_a_fault(exports: Exports) -> None:
    (exports.model / "model.pt").unlink()
    with pytest.raises(ExportFailed, match="No such file"):
        exports.has("fp32")


def test_where_nothing_can_be_written_the_folder_is_named(exports: Exports) -> None:
    exports.models_dir.write_bytes(b"a file")
    with pytest.raises(ExportsClosed, match=f"{exports.models_dir} cannot be written to"), exports.lock():
        pass


def test_a_folder_that_nobody_may_write_to_is_named_and_left_as_it_is(exports: Exports) -> None:
    exports.models_dir.mkdir()
    with (
        nobody_writes(exports.models_dir),
        pytest.raises(ExportsClosed, match=f"{exports.models_dir} cannot be written to"),
    ):
        exports.check_writable()
    assert list(exports.models_dir.iterdir()) == []
    exports.check_writable()


def test_a_lock_that_cannot_be_had_is_a_fault(exports: Exports) -> None:
    (exports.folder / ".lock").mkdir(parents=True)
    with pytest.raises(ExportFailed, match="directory"), exports.lock():
        pass


def test_a_full_disk_is_not_taken_for_a_folder_that_cannot_be_written_to(
    exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=full))
    with pytest.raises(ExportFailed, match="No space left on device") as failed:
        exports.check_writable()
    assert not isinstance(failed.value, ExportsClosed)


def test_what_was_written_before_is_used_where_nobody_may_write_any_more(written: Exports) -> None:
    before = contents(written.folder)
    forget_hashes(written)
    with nobody_writes(written.folder, written.folder.parent, written.models_dir):
        assert written.has("fp32")
        assert written.decision("fp32") == SO
        with pytest.raises(ExportsClosed, match=f"{written.folder} cannot be written to"):
            written.check_writable()
        written.keep("fp32", Decision(precision="int8", reason="cannot be kept"))
    assert contents(written.folder) == before


def forget_hashes(exports: Exports) -> None:
    export._sources_sha256.cache_clear()  # noqa: SLF001 - what a new process begins with
    (exports.models_dir / "exports/hashes.json").unlink()


def contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
