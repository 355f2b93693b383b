from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.samples import decode
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.pipeline.word_times import align_words
from engine.recognizers.fun_asr_nano import SPARE_TOKENS, TOKENS_PER_SECOND, FunAsrNano
from engine.recognizers.funasr_adapter import FunasrAnswer, load_network
from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from engine.transcript import Word
from engine.vad.energy import snap_words_to_energy
from tests.engine.folders import write_nano


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nano(tmp_path_factory.mktemp("nano") / "nano")


@pytest.fixture(scope="module")
def model(folder: Path, starter_models_dir: Path) -> FunAsrNano:
    engine = Engine.open(EngineSettings(model=str(folder), models_dir=starter_models_dir, threads=1))
    assert engine.languages == ("zh", "en", "ja")
    assert isinstance(engine.backend, TranscriptionPipeline)
    assert isinstance(engine.backend.model, FunAsrNano)
    return engine.backend.model


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def test_its_words_are_those_of_the_text_and_have_times(model: FunAsrNano, speech: NDArray[np.int16]) -> None:
    reading = model.recognize(speech, Request())
    assert [word.text for word in reading.words] == reading.text.split()
    assert 0 <= reading.words[0].start < reading.words[-1].end <= len(speech) / 16_000 + 0.1
    assert all(earlier.start < earlier.end <= later.start for earlier, later in pairwise(reading.words))


def test_language_hotwords_and_itn_hold_for_one_call_only(model: FunAsrNano, speech: NDArray[np.int16]) -> None:
    plain = model.recognize(speech, Request())
    asked = [Request(language="ja"), Request(hotwords=("Earshot",)), Request(itn=False)]
    assert len({model.recognize(speech, request).text for request in asked} | {plain.text}) == 4
    assert model.recognize(speech, Request()) == plain


def test_the_language_is_the_requested_one_or_guessed_from_the_script(
    model: FunAsrNano, speech: NDArray[np.int16]
) -> None:
    assert model.recognize(speech, Request(language="ja")).language == "ja"
    assert model.recognize(speech, Request()).language == "en"


def test_a_repetition_loop_ends_at_the_token_limit(model: FunAsrNano, speech: NDArray[np.int16]) -> None:
    for seconds in (1, 3):
        text = model.recognize(speech[: 16_000 * seconds], Request()).text
        assert len(text) <= SPARE_TOKENS + TOKENS_PER_SECOND * seconds


def test_a_very_short_chunk_does_not_crash(model: FunAsrNano) -> None:
    assert isinstance(model.recognize(np.zeros(1, np.int16), Request()).text, str)


def test_no_network_access_happens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it opened a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    load_network("nano", folder, device="cpu", threads=1)


def test_words_start_and_end_with_their_sound(
    model: FunAsrNano, speech: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    rough = (Word(start=0.0, end=0.1, text="ever"), Word(start=5.0, end=5.1, text="better"))
    answer = FunasrAnswer("Ever better.", words=rough)
    monkeypatch.setattr(model.network, "infer", lambda *_, **__: answer)
    aligned = align_words(answer.text, rough)
    assert model.recognize(speech, Request()).words == snap_words_to_energy(aligned, speech) != aligned
