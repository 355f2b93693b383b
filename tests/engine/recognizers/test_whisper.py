from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from engine.transcript import Word
from engine.vad.energy import snap_words_to_energy
from tests.engine.folders import LARGE_V3_TURBO, write_whisper
from tests.engine.transcribing import text_of, transcribe, words

if TYPE_CHECKING:
    from torch import Tensor
    from whisper.decoding import DecodingOptions, DecodingResult
    from whisper.model import Whisper

SAMPLE_TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


@pytest.fixture(scope="module")
def model(starter: Engine) -> WhisperModel:
    assert isinstance(starter.backend, TranscriptionPipeline)
    assert isinstance(starter.backend.model, WhisperModel)
    return starter.backend.model


@pytest.fixture(scope="module")
def speech(sample: Path) -> NDArray[np.int16]:
    return decode(sample, max_audio_s=60).samples


def test_a_very_short_chunk_does_not_crash(model: WhisperModel) -> None:
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


def test_recognizing_prints_nothing(
    model: WhisperModel, speech: NDArray[np.int16], capfd: pytest.CaptureFixture[str]
) -> None:
    list(model.detect_speech([speech]))
    model.recognize(speech, Request())
    assert capfd.readouterr() == ("", "")


@dataclass
class Script:
    """Stands in for Whisper's decoding: gives these results one after the other, and keeps the options of each call."""

    model: WhisperModel
    speech: NDArray[np.int16]
    monkeypatch: pytest.MonkeyPatch
    options: list[DecodingOptions] = field(default_factory=list)

    def recognize(self, *results: dict[str, Any], request: Request | None = None) -> RecognizedChunk:
        from whisper.decoding import DecodingResult  # noqa: PLC0415 - not before a test needs it

        left = iter(results)

        def decode(_: Whisper, features: Tensor, options: DecodingOptions) -> list[DecodingResult]:
            self.options.append(options)
            whole = {"tokens": [], "avg_logprob": -0.3, "no_speech_prob": 0.01, "compression_ratio": 1.1} | next(left)
            return [DecodingResult(audio_features=features, language="en", **whole)]

        self.monkeypatch.setattr("whisper.decode", decode)
        return self.model.recognize(self.speech, request or Request())


@pytest.fixture
def script(model: WhisperModel, speech: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(model, speech, monkeypatch)


def test_hotwords_are_a_sentence_in_the_prompt_with_the_first_ones_last(script: Script) -> None:
    script.recognize({"text": "Yes."}, request=Request(hotwords=("first", "second")))
    script.recognize({"text": "Yes."})
    assert [options.prompt for options in script.options] == ["Glossary: second, first.", None]


@pytest.mark.parametrize("doubt", [{"compression_ratio": 2.5}, {"avg_logprob": -1.1}], ids=["repetitive", "unlikely"])
def test_a_doubtful_text_is_decoded_again_with_a_beam(script: Script, doubt: dict[str, float]) -> None:
    assert script.recognize({"text": "Yes yes.", **doubt}, {"text": "Yes."}).text == "Yes."
    assert [options.beam_size for options in script.options] == [None, 5]


def test_a_likely_text_is_decoded_once(script: Script) -> None:
    assert script.recognize({"text": " Yes. ", "compression_ratio": 2.3, "avg_logprob": -0.9}).text == "Yes."
    assert len(script.options) == 1


@pytest.mark.parametrize(
    "doubt",
    [
        {"compression_ratio": 2.5},
        {"avg_logprob": -1.6},
        {"avg_logprob": -1.1, "no_speech_prob": 0.7},
        {"text": "... -"},
    ],
    ids=["repetitive", "guessed", "no speech", "only marks"],
)
def test_a_text_that_stays_doubtful_is_no_text(script: Script, doubt: dict[str, Any]) -> None:
    assert script.recognize(*[{"text": "Yes yes.", **doubt}] * 2) == RecognizedChunk("", "")


@pytest.mark.parametrize("doubt", [{"avg_logprob": -1.4}, {"avg_logprob": -0.9, "no_speech_prob": 0.7}])
def test_an_unlikely_text_of_speech_stays(script: Script, doubt: dict[str, float]) -> None:
    assert script.recognize(*[{"text": "Yes.", **doubt}] * 2).text == "Yes."


def test_words_start_and_end_with_their_sound(
    model: WhisperModel, speech: NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample starts with a quarter of a second of quiet."""
    rough = (Word(start=0.0, end=5.0, text="Ever"), Word(start=5.0, end=len(speech) / SAMPLE_RATE, text="better."))
    monkeypatch.setattr("engine.recognizers.whisper.word_times", lambda *_, **__: rough)
    assert model.recognize(speech, Request()).words == snap_words_to_energy(rough, speech) != rough


def test_words_are_those_of_the_text_in_order(model: WhisperModel, speech: NDArray[np.int16]) -> None:
    reading = model.recognize(speech, Request())
    assert " ".join(word.text for word in reading.words) == reading.text
    assert words(reading.text) == words(SAMPLE_TEXT)
    assert all(earlier.end <= later.start for earlier, later in pairwise(reading.words))


def test_word_times_move_with_the_sound(model: WhisperModel, speech: NDArray[np.int16]) -> None:
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
def test_tones_have_no_text(model: WhisperModel, sound: NDArray[np.float64]) -> None:
    samples = (sound / np.abs(sound).max() * 16_000).astype(np.int16)
    assert model.recognize(samples, Request()) == RecognizedChunk("", "")


@pytest.mark.parametrize("seed", [1, 2])
def test_speech_in_noise_is_recognized(model: WhisperModel, speech: NDArray[np.int16], seed: int) -> None:
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
