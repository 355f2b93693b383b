import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import ExportsClosed
from engine.runtime.export import Decision, Exports, NotExportable
from tests.engine.folders import nobody_writes

ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from engine.runtime.export import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), "fp32"))
"""


@pytest.fixture
def exports(tiny: Path, tmp_path: Path) -> Exports:
    return Exports(
        shutil.copytree(tiny, tmp_path / "sensevoice", ignore=shutil.ignore_patterns("earshot")), tmp_path / "models"
    )


def test_a_network_is_written_once_into_the_model_s_own_folder(exports: Exports) -> None:
    told: list[tuple[int, int]] = []
    path = exports.network("fp32", lambda done, total: told.append((done, total)))
    assert path == exports.model / "earshot/fp32.onnx"
    assert told[-1][0] == told[-1][1] > 0
    written = path.stat().st_mtime_ns
    assert exports.network("fp32").stat().st_mtime_ns == written


def test_several_that_want_it_at_once_get_one(exports: Exports) -> None:
    told: list[int] = []
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: exports.network("fp32", lambda done, _: told.append(done)), range(3)))
    assert set(paths) == {exports.path("fp32")}
    assert len(told) == 1


def test_a_folder_that_nobody_may_write_to_is_left_alone(exports: Exports) -> None:
    with nobody_writes(exports.model):
        path = exports.network("fp32")
    assert path.is_relative_to(exports.models_dir)
    assert not (exports.model / "earshot").exists()


def test_a_model_that_has_changed_is_to_be_exported_and_judged_anew(exports: Exports) -> None:
    exports.network("fp32")
    exports.keep("fp32", Decision(precision="fp32", reason="it was so"))
    config = exports.model / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert not exports.has("fp32")
    assert exports.decision("fp32") is None


def test_weights_that_only_look_newer_are_the_same(exports: Exports) -> None:
    written = exports.network("fp32").stat().st_mtime_ns
    exports.keep("fp32", Decision(precision="fp32", reason="it was so"))
    os.utime(exports.model / "model.pt", (1, 1))
    assert exports.network("fp32").stat().st_mtime_ns == written
    decision = exports.decision("fp32")
    assert decision is not None
    assert decision.reason == "it was so"


def test_other_weights_of_the_same_size_and_time_are_seen(exports: Exports) -> None:
    exports.network("fp32")
    weights = exports.model / "model.pt"
    before, content = weights.stat(), bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not exports.has("fp32")


def test_a_decision_outlives_the_network_that_it_dropped(exports: Exports) -> None:
    exports.network("int8")
    exports.keep("int8", Decision(precision="fp32", reason="it reads otherwise", agreement=0.5))
    exports.drop("int8")
    assert not exports.has("int8")
    exports.network("int8")
    decision = exports.decision("int8")
    assert decision is not None
    assert decision.agreement == 0.5


def test_what_fails_while_it_is_alone_is_not_taken_for_the_folder(exports: Exports) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), exports.alone(".lock"):
        Path("elsewhere").stat()


def test_half_a_network_does_not_count(exports: Exports) -> None:
    (exports.folder / ".fp32.partial").mkdir(parents=True)
    (exports.folder / ".fp32.partial/fp32.onnx").write_bytes(b"half")
    exports.path("fp32").write_bytes(b"without a stamp")
    assert not exports.has("fp32")
    assert exports.network("fp32").stat().st_size > len(b"without a stamp")


@pytest.mark.parametrize(("file", "content"), [("model.pt", b"nothing"), ("config.yaml", b"model: Other\n")])
def test_what_is_damaged_or_of_another_kind_is_not_exportable(exports: Exports, file: str, content: bytes) -> None:
    (exports.model / file).write_bytes(content)
    with pytest.raises(NotExportable, match=file):
        exports.network("fp32")
    assert not exports.has("fp32")
    assert not list(exports.folder.glob(".*partial"))


def test_what_is_not_exportable_is_tried_again_only_when_it_has_changed(exports: Exports) -> None:
    weights = exports.model / "model.pt"
    whole = weights.read_bytes()
    weights.write_bytes(b"nothing")
    with pytest.raises(NotExportable):
        exports.network("fp32")
    tried = (exports.folder / "fp32.json").stat().st_mtime_ns
    with pytest.raises(NotExportable, match=r"model\.pt"):
        exports.network("fp32")
    assert (exports.folder / "fp32.json").stat().st_mtime_ns == tried
    weights.write_bytes(whole)
    assert not exports.unfit("fp32")
    assert exports.network("fp32").is_file()


def test_a_full_disk_keeps_nothing_of_what_was_begun(exports: Exports) -> None:
    exports.folder.mkdir()
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(exports.model), str(exports.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "File too large\n"), done.stderr
    assert list(exports.folder.iterdir()) == []


def test_where_nothing_can_be_written_the_reason_is_told(exports: Exports) -> None:
    exports.models_dir.write_bytes(b"a file")
    with nobody_writes(exports.model), pytest.raises(ExportsClosed, match=f"{exports.models_dir} cannot be written to"):
        exports.network("fp32")


def test_folders_that_nobody_may_write_to_are_left_as_they_are(exports: Exports) -> None:
    exports.models_dir.mkdir()
    with nobody_writes(exports.model, exports.models_dir):
        with pytest.raises(ExportsClosed, match=f"{exports.models_dir} cannot be written to"):
            exports.network("fp32")
        assert exports.closed == exports.models_dir
    assert list(exports.models_dir.iterdir()) == []
    assert not (exports.model / "earshot").exists()


def test_what_was_written_before_is_used_where_nobody_may_write_any_more(exports: Exports) -> None:
    path = exports.network("fp32")
    exports.keep("fp32", Decision(precision="fp32", reason="it was so"))
    before = contents(exports.folder)
    with nobody_writes(exports.folder, exports.model):
        assert exports.closed == exports.folder
        assert exports.network("fp32") == path
        assert exports.decision("fp32") == Decision(precision="fp32", reason="it was so")
    assert contents(exports.folder) == before


def contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
