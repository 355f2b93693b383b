import json
import logging
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelBroken
from engine.recognizers.funasr_adapter import FunasrNetwork, load_network
from tests.engine.folders import write_seaco

SECOND = 16_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_seaco(tmp_path_factory.mktemp("made") / "mine")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Give a model folder, to be spoilt."""
    return shutil.copytree(made, tmp_path / "mine")


def load(folder: Path) -> FunasrNetwork:
    return load_network("mine", folder, device="cpu", threads=1)


def test_loading_leaves_the_process_as_it_was(made: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, random.getstate(), warnings.filters[:]
    load(made)
    assert (root.handlers[:], root.level, random.getstate(), warnings.filters[:]) == before
    assert capfd.readouterr() == ("", "")


def test_inference_prints_nothing(made: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(made).infer(np.zeros(SECOND, np.int16))
    assert capfd.readouterr() == ("", "")


def test_no_network_access_happens(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it opened a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    load(made)


def test_the_number_of_threads_is_ours(made: Path) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    load(made).infer(np.zeros(SECOND, np.int16))
    assert torch.get_num_threads() == 1


def test_a_checkpoint_is_not_copied(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    copied: list[torch.Size] = []

    def note(tensor: torch.Tensor, _: object) -> torch.Tensor:
        copied.append(tensor.shape)
        return tensor

    monkeypatch.setattr(torch.Tensor, "__deepcopy__", note)
    load(made)
    assert set(copied) <= {torch.Size([2, 560])}  # what scales the sound, which FunASR keeps with its settings


@pytest.mark.parametrize("missing", ["config.yaml", "model.pt", "am.mvn"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelBroken, match=f"{missing} is missing"):
        load(folder)


@pytest.mark.parametrize("damaged", ["config.yaml", "model.pt", "configuration.json"])
def test_a_damaged_file_makes_the_model_broken(folder: Path, damaged: str) -> None:
    (folder / damaged).write_bytes(b"\x00{[")
    with pytest.raises(ModelBroken) as fault:
        load(folder)
    assert fault.value.params["path"] == str(folder)


def test_weights_of_another_model_are_noticed(folder: Path) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    torch.save({"another.weight": torch.zeros(3)}, folder / "model.pt")
    with pytest.raises(ModelBroken, match="do not fit"):
        load(folder)


def test_files_named_deep_in_the_configuration_are_checked(folder: Path) -> None:
    announced = {"init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": [{"token_list": "gone.txt"}]}
    (folder / "configuration.json").write_text(json.dumps({"file_path_metas": announced}), encoding="utf-8")
    with pytest.raises(ModelBroken, match=r"gone\.txt is missing"):
        load(folder)
