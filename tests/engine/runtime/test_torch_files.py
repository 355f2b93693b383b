import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.runtime.torch_files import read_weights


def test_weights_are_those_that_torch_reads(starter_models_dir: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    folder = starter_models_dir / "fsmn-vad"
    theirs = torch.load(folder / "model.pt", weights_only=True)
    ours = read_weights(folder)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name].numpy())


@pytest.mark.parametrize("kind", ["float64", "float16", "int64"])
def test_numbers_of_every_kind_become_floats(tmp_path: Path, kind: str) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    row = torch.arange(12, dtype=getattr(torch, kind))
    torch.save({"part": row[4:].reshape(2, 4).T, "one": row[3]}, tmp_path / "model.pt")
    weights = read_weights(tmp_path)
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(weights["part"], [[4, 8], [5, 9], [6, 10], [7, 11]])
    assert weights["one"] == 3


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_file_that_would_run_something_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"weight": Hostile(mark)}))
    with pytest.raises(ValueError, match=r"model\.pt is damaged"):
        read_weights(tmp_path)
    assert not mark.exists()


def test_an_array_that_reaches_beyond_its_numbers_is_refused(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - not before a test needs it

    torch.save({"weight": torch.zeros(1_000)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "model.pt", "w") as short:
        for name in whole.namelist():
            content = whole.read(name)
            short.writestr(name, content[:400] if name.endswith("data/0") else content)
    with pytest.raises(ValueError, match=r"model\.pt is damaged"):
        read_weights(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nothing", pickle.dumps({"weight": 1})])
def test_what_is_no_file_of_torch_s_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.pt is damaged"):
        read_weights(tmp_path)
