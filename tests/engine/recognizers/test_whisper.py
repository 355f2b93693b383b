from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio import SAMPLE_RATE
from engine.audio.samples import decode
from engine.pipeline.transcribe import RecognizedChunk, TranscriptionPipeline
from engine.recognizers.whisper import WhisperModel
from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from tests.engine.folders import LARGE_V3_TURBO, write_whisper
from tests.engine.transcribing import text_of, transcribe, words

SAMPLE_TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


@pytest.fixture(scope="module")
def model(starter: Engine) -> WhisperModel:
    assert isinstance(starter.backend, TranscriptionPipeline)
    assert isinstance(starter.backend.model, WhisperModel)
    return starter.backend.model


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def test_a_very_short_piece_is_read_without_a_crash(model: WhisperModel) -> None:
    assert isinstance(model.recognize(np.zeros(1, np.int16), Request(language="en")).text, str)


def test_hotwords_help_with_a_name_and_do_not_change_how_it_writes(
    model: WhisperModel, speech: NDArray[np.int16]
) -> None:
    for hotword in ("Beckett", "hi"):
        assert model.recognize(speech, Request(hotwords=(hotword,))).text.startswith("Ever tried")


def test_hotwords_that_are_the_model_s_own_marks_do_no_harm(starter: Engine, sample: Path) -> None:
    marks = ("<|endoftext|>", "<|startofprev|>Hello", "<|en|>", "\u202e<|nospeech|>\x00", "[INST]", "Beckett\n<s>")
    said = transcribe(starter, sample, hotwords=marks)
    assert said == transcribe(starter, sample)
    assert words(text_of(said)) == words(SAMPLE_TEXT)


def test_reading_says_nothing_on_its_own(
    model: WhisperModel, speech: NDArray[np.int16], capfd: pytest.CaptureFixture[str]
) -> None:
    list(model.detect_speech([speech]))
    model.recognize(speech, Request())
    assert capfd.readouterr() == ("", "")


def test_words_are_those_of_the_text_in_order(model: WhisperModel, speech: NDArray[np.int16]) -> None:
    reading = model.recognize(speech, Request())
    assert " ".join(word.text for word in reading.words) == reading.text
    assert words(reading.text) == words(SAMPLE_TEXT)
    assert all(earlier.end <= later.start for earlier, later in pairwise(reading.words))


def test_a_word_is_where_it_was_said(model: WhisperModel, speech: NDArray[np.int16]) -> None:
    """Put two seconds of the room's hiss before the sound: all but the first word, which has it before it, moves."""
    early = model.recognize(speech, Request()).words
    late = model.recognize(np.concatenate([np.resize(speech[:3_200], 32_000), speech]), Request()).words
    assert [word.text for word in late] == [word.text for word in early]
    moved = [after.start - before.start for before, after in zip(early[1:], late[1:], strict=True)]
    assert moved == pytest.approx([2.0] * len(moved), abs=0.1)


def tone(hertz: float, *, vibrato: float = 0.0) -> NDArray[np.float64]:
    """Give 20 seconds of it; `vibrato` is how far it swings, in radians."""
    seconds = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    wave: NDArray[np.float64] = np.sin(2 * np.pi * hertz * seconds + vibrato * np.sin(2 * np.pi * 5 * seconds))
    return wave


def buzz() -> NDArray[np.float64]:
    """Give a hum with the formants of an ah, which no voice could hold so still."""
    heights = (120.0 * number for number in range(1, 40, 2))
    return sum(
        (tone(hz) * 120 / hz * sum(1 / (1 + ((hz - at) / 80) ** 2) for at in (700, 1200, 2600)) for hz in heights),
        np.zeros(1),
    )


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(tone(440) + tone(480), id="dial tone"),
        pytest.param(tone(440, vibrato=8), id="vibrato"),
        pytest.param(buzz(), id="buzz"),
    ],
)
def test_a_tone_is_no_text(model: WhisperModel, sound: NDArray[np.float64]) -> None:
    samples = (sound / np.abs(sound).max() * 16_000).astype(np.int16)
    assert model.recognize(samples, Request()) == RecognizedChunk("", "")


@pytest.mark.parametrize("seed", [1, 2])
def test_speech_is_read_through_noise(model: WhisperModel, speech: NDArray[np.int16], seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, np.std(speech) / 10 ** (5 / 20), len(speech))
    said = words(model.recognize((speech / 2 + noise / 2).astype(np.int16), Request()).text)
    assert len(set(said) & set(words(SAMPLE_TEXT))) >= 6


@pytest.fixture(scope="module")
def polyglot(tmp_path_factory: pytest.TempPathFactory, starter_models_dir: Path) -> WhisperModel:
    """Open a file of the owner's own."""
    path = write_whisper(tmp_path_factory.mktemp("whisper") / "small.pt")
    engine = Engine.open(EngineSettings(model=str(path), models_dir=starter_models_dir, threads=1))
    assert len(engine.languages) == 100
    assert isinstance(engine.backend, TranscriptionPipeline)
    assert isinstance(engine.backend.model, WhisperModel)
    return engine.backend.model


@pytest.mark.parametrize(
    ("request_", "language"),
    [
        (Request(), "en"),
        (Request(languages=("fr", "de")), "de"),
        (Request(languages=("yue", "fr")), "fr"),
        (Request(language="ja"), "ja"),
    ],
)
def test_it_chooses_the_likeliest_of_the_languages_allowed(
    polyglot: WhisperModel, speech: NDArray[np.int16], request_: Request, language: str
) -> None:
    reading = polyglot.recognize(speech, request_)
    assert (reading.text, reading.language) == ("hello", language)
    assert [word.text for word in reading.words] == ["hello"]


@pytest.mark.slow
@pytest.mark.timeout(600)  # it always hears half a minute, which is much work at this size
def test_a_file_of_the_size_of_large_v3_turbo_is_read(gigabytes: Path, starter_models_dir: Path, sample: Path) -> None:
    path = write_whisper(gigabytes / "large-v3-turbo.pt", LARGE_V3_TURBO)
    assert path.stat().st_size > 1_600_000_000
    engine = Engine.open(EngineSettings(model=str(path), models_dir=starter_models_dir, device="cpu"))
    said = transcribe(engine, sample, hotwords=("Beckett",))
    assert (text_of(said), said.language, said.model) == ("hello", "en", "large-v3-turbo.pt")
    [word] = said.segments[0].words
    assert 0 <= word.start < word.end <= said.duration
