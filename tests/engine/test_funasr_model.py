import json
import logging
import random
import shutil
import subprocess
import sys
import unicodedata
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio import decode
from engine.errors import DeviceMissing, ModelBroken, PrecisionMissing
from engine.funasr_model import FunasrModel, Parts, load
from engine.reading import ModelBackend
from engine.settings import EngineSettings
from engine.speech import Engine

SECOND = 16_000
PUBLISHED_MS = [
    (70, 2340),
    (2620, 6200),
    (6480, 23670),
    (23950, 26250),
    (26780, 28990),
    (29950, 31430),
    (31750, 37600),
    (38210, 46900),
    (47310, 49630),
    (49910, 56460),
    (56740, 59540),
    (59820, 70450),
]


def model_of(engine: Engine) -> FunasrModel:
    assert isinstance(engine.backend, ModelBackend)
    assert isinstance(engine.backend.model, FunasrModel)
    return engine.backend.model


@pytest.fixture(scope="session")
def model(starter: Engine) -> FunasrModel:
    return model_of(starter)


def in_blocks(samples: NDArray[np.int16], length: int) -> list[NDArray[np.int16]]:
    return [samples[start : start + length] for start in range(0, len(samples), length)]


@pytest.mark.parametrize("seconds", [1, 7, 20, 100])
def test_speech_is_where_the_model_s_authors_say_however_long_the_blocks(
    model: FunasrModel, shared: Path, seconds: int
) -> None:
    samples = decode(shared / "clips/zh_vad_example_70s.wav", max_audio_s=100).samples
    found = model.speech(in_blocks(samples, seconds * SECOND))
    assert [(region.start // 16, region.end // 16) for region in found] == PUBLISHED_MS


def test_two_recordings_can_be_searched_at_the_same_time(model: FunasrModel, sample: Path) -> None:
    samples = decode(sample, max_audio_s=100).samples
    alone = list(model.speech(in_blocks(samples, SECOND)))
    both = [model.speech(in_blocks(samples, SECOND)), model.speech(in_blocks(samples, 2 * SECOND))]
    assert [list(pair) for pair in zip(*both, strict=True)] == [[region, region] for region in alone]


@pytest.mark.parametrize("frames", [1_600, 1_601, 5_000, 20 * SECOND + 1, 20 * SECOND + 399])
def test_short_sounds_and_short_last_blocks_do_no_harm(model: FunasrModel, sample: Path, frames: int) -> None:
    samples = np.resize(decode(sample, max_audio_s=100).samples, frames)
    found = list(model.speech(in_blocks(samples, 20 * SECOND)))
    assert all(0 <= region.start < region.end <= frames + SECOND // 10 for region in found)
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))


def test_a_very_short_piece_is_read_without_a_crash(model: FunasrModel) -> None:
    assert isinstance(model.read(np.zeros(1, np.int16), "en", ()).text, str)


def test_hotwords_help_whisper_with_a_name(model: FunasrModel, sample: Path) -> None:
    samples = decode(sample, max_audio_s=100).samples
    assert "Ever tried" in model.read(samples, "en", ("Beckett",)).text


def test_hotwords_do_not_change_how_whisper_writes(model: FunasrModel, sample: Path) -> None:
    samples = decode(sample, max_audio_s=100).samples
    assert model.read(samples, "en", ("hi",)).text.startswith("Ever tried")


def folder_of_models(models: Path) -> Parts:
    return Parts(recogniser=models / "starter/tiny.en.pt", vad=models / "fsmn-vad", punctuation=None)


def test_loading_leaves_the_process_as_it_was(starter_models_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, random.getstate(), warnings.filters[:]
    load("starter", folder_of_models(starter_models_dir), EngineSettings(threads=1))
    assert (root.handlers[:], root.level, random.getstate(), warnings.filters[:]) == before
    assert capfd.readouterr() == ("", "")


def test_reading_says_nothing_on_its_own(model: FunasrModel, sample: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = decode(sample, max_audio_s=100).samples
    list(model.speech([samples]))
    model.read(samples, "en", ())
    assert capfd.readouterr() == ("", "")


def test_nothing_is_looked_up_on_the_network(starter_models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it opened a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    load("starter", folder_of_models(starter_models_dir), EngineSettings(threads=1))


def test_the_number_of_threads_is_ours(sample: Path, starter_models_dir: Path) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    loaded = load("starter", folder_of_models(starter_models_dir), EngineSettings(threads=1))
    list(loaded.speech([decode(sample, max_audio_s=100).samples]))
    assert torch.get_num_threads() == 1


@pytest.fixture
def vad(starter_models_dir: Path, tmp_path: Path) -> Path:
    """Give a copy of a model folder, to be spoilt."""
    return shutil.copytree(starter_models_dir / "fsmn-vad", tmp_path / "model")


def load_with(vad: Path, starter_models_dir: Path) -> FunasrModel:
    parts = Parts(recogniser=starter_models_dir / "starter/tiny.en.pt", vad=vad, punctuation=None)
    return load("mine", parts, EngineSettings(threads=1))


@pytest.mark.parametrize("missing", ["config.yaml", "model.pt", "am.mvn"])
def test_a_missing_file_is_named(starter_models_dir: Path, vad: Path, missing: str) -> None:
    (vad / missing).unlink()
    with pytest.raises(ModelBroken, match=f"{missing} is missing"):
        load_with(vad, starter_models_dir)


@pytest.mark.parametrize("damaged", ["config.yaml", "model.pt", "configuration.json", "am.mvn"])
def test_a_damaged_file_makes_the_model_broken(starter_models_dir: Path, vad: Path, damaged: str) -> None:
    (vad / damaged).write_bytes(b"\x00{[")
    with pytest.raises(ModelBroken) as fault:
        load_with(vad, starter_models_dir)
    assert fault.value.params["path"] == str(vad)


def test_weights_of_another_model_are_noticed(starter_models_dir: Path, vad: Path) -> None:
    import torch  # noqa: PLC0415 - not before a model is loaded

    torch.save({"another.weight": torch.zeros(3)}, vad / "model.pt")
    with pytest.raises(ModelBroken, match="do not fit"):
        load_with(vad, starter_models_dir)


def test_files_that_a_folder_announces_deep_within_are_looked_for(starter_models_dir: Path, vad: Path) -> None:
    announced = {"init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": [{"token_list": "gone.txt"}]}
    (vad / "configuration.json").write_text(json.dumps({"file_path_metas": announced}), encoding="utf-8")
    with pytest.raises(ModelBroken, match=r"gone\.txt is missing"):
        load_with(vad, starter_models_dir)


def test_a_folder_whose_model_reads_no_speech_is_broken(starter_models_dir: Path, vad: Path) -> None:
    with pytest.raises(ModelBroken):
        load("mine", Parts(recogniser=vad, vad=starter_models_dir / "fsmn-vad", punctuation=None), EngineSettings())


def test_a_file_that_is_no_whisper_is_broken(starter_models_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.en.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelBroken):
        load("mine", Parts(recogniser=path, vad=starter_models_dir / "fsmn-vad", punctuation=None), EngineSettings())


def test_a_device_that_is_not_there_is_refused(starter_models_dir: Path) -> None:
    with pytest.raises(DeviceMissing, match="cuda:99"):
        load("starter", folder_of_models(starter_models_dir), EngineSettings(device="cuda:99"))


def test_a_precision_that_cannot_be_had_is_refused(starter_models_dir: Path) -> None:
    with pytest.raises(PrecisionMissing, match="bf16"):
        load("starter", folder_of_models(starter_models_dir), EngineSettings(precision="bf16"))


def test_punctuation_and_hotwords_reach_paraformer(shared: Path, starter_models_dir: Path, tmp_path: Path) -> None:
    tool = str(shared / "tools/build_models.py")
    subprocess.run([sys.executable, tool, str(tmp_path), "tiny", "seaco", "punc"], check=True, capture_output=True)
    (tmp_path / "punc-tiny").rename(tmp_path / "ct-punc")
    engine = Engine.open(EngineSettings(model=str(tmp_path / "seaco-tiny"), models_dir=starter_models_dir, threads=1))
    samples = decode(shared / "clips/zh_voice_message.ogg", max_audio_s=60).samples
    plain, favoured = (model_of(engine).read(samples, None, words).text for words in ((), ("达摩院", "Earshot")))
    assert any(unicodedata.category(character) == "Po" for character in plain)
    assert plain != favoured
