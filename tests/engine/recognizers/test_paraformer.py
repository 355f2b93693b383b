import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.samples import decode
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.recognizers.paraformer import Paraformer
from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from tests.engine.folders import PUBLISHED_SEACO, write_punctuation, write_seaco
from tests.engine.transcribing import transcribe


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, starter_models_dir: Path) -> Paraformer:
    """Open the folder as an owner's own, with its punctuation beside it."""
    folder = write_seaco(tmp_path_factory.mktemp("paraformer") / "seaco")
    write_punctuation(folder.parent / "ct-punc")
    engine = Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, threads=1))
    assert engine.languages == ("zh", "en")
    assert isinstance(engine.backend, TranscriptionPipeline)
    assert isinstance(engine.backend.model, Paraformer)
    return engine.backend.model


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def without_marks(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def test_its_words_are_punctuated(model: Paraformer, speech: NDArray[np.int16]) -> None:
    text = model.recognize(speech, Request()).text
    assert any(unicodedata.category(character) == "Po" for character in text)


def test_its_words_are_those_of_the_text_and_have_its_own_times(model: Paraformer, speech: NDArray[np.int16]) -> None:
    reading = model.recognize(speech, Request())
    assert "".join(without_marks(word.text) for word in reading.words) == without_marks(reading.text)
    assert len(reading.words) > 10
    assert 0 <= reading.words[0].start < reading.words[-1].end <= len(speech) / 16_000 + 0.1
    assert all(earlier.start < earlier.end <= later.start + 0.001 for earlier, later in pairwise(reading.words))


def test_hotwords_hold_for_one_call_only(model: Paraformer, speech: NDArray[np.int16]) -> None:
    plain = model.recognize(speech, Request())
    assert model.recognize(speech, Request(hotwords=("一丁", "abc"))).text != plain.text
    assert model.recognize(speech, Request()) == plain


def test_the_language_is_guessed_from_the_script(model: Paraformer, speech: NDArray[np.int16]) -> None:
    assert model.recognize(speech, Request()).language == "zh"
    assert model.recognize(speech, Request(language="en")).language == "en"


def test_a_very_short_chunk_does_not_crash(model: Paraformer) -> None:
    assert isinstance(model.recognize(np.zeros(1, np.int16), Request()).text, str)


def test_without_marks_there_are_no_spaces_between_han(
    tmp_path: Path, starter_models_dir: Path, speech: NDArray[np.int16]
) -> None:
    settings = EngineSettings(model=str(write_seaco(tmp_path / "seaco")), models_dir=starter_models_dir, threads=1)
    backend = Engine.open(settings).backend
    assert isinstance(backend, TranscriptionPipeline)
    text = backend.model.recognize(speech, Request()).text
    assert any("\u4e00" <= one <= "\u9fff" and "\u4e00" <= other <= "\u9fff" for one, other in pairwise(text))


@pytest.mark.slow
@pytest.mark.timeout(600)  # a gigabyte is made, written and read
def test_a_folder_of_the_size_that_is_published_is_read(
    gigabytes: Path, starter_models_dir: Path, sample: Path
) -> None:
    folder = write_seaco(gigabytes / "paraformer", PUBLISHED_SEACO)
    write_punctuation(gigabytes / "ct-punc")
    assert (folder / "model.pt").stat().st_size > 900_000_000
    engine = Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, device="cpu"))
    plain = transcribe(engine, sample)
    words = [word for segment in plain.segments for word in segment.words]
    assert len(words) > 10
    assert words[0].start >= 0
    assert words[-1].end <= plain.duration + 0.1
    assert all(earlier.start < earlier.end <= later.start + 0.001 for earlier, later in pairwise(words))
    assert transcribe(engine, sample, hotwords=("\u4e01\u4e02", "abc")).segments != plain.segments
    assert transcribe(engine, sample) == plain
