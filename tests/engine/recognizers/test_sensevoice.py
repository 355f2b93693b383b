import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, strategies as st
from onnx import helper, numpy_helper

from engine.audio.fbank import Frontend
from engine.audio.samples import decode
from engine.pipeline.transcribe import RecognizedChunk
from engine.recognizers.sensevoice import SenseVoice, Tokenizer, collapse_ctc, tokenizer_file
from engine.request import Request
from engine.runtime.onnx import Network
from engine.settings import EngineSettings
from engine.speech import Engine
from engine.vad.detector import VoiceActivityDetector
from tests.engine.folders import ALPHABET, exported
from tests.engine.transcribing import transcribe

PROJECT = Path(__file__).resolve().parents[3]
SECOND = 16_000
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
ROW_S = 0.06
BLANK = "<unk>"
AS_SPOKEN = 15
HAN_ONE, HAN_TWO = "\u4e00", "\u4e01"
NOTHING = np.zeros(SECOND, np.int16)


def value(name: str, kind: int, width: int | None = None) -> onnx.ValueInfoProto:
    """Describe what goes in or out: (batch, rows, width), (batch,) or (batch, rows)."""
    one = [None] if name in {"language", "itn"} else [None, None]
    return helper.make_tensor_value_info(name, kind, one if width is None else [*one, width])


def write_answer(path: Path, tags: list[str], tokens: list[str]) -> Path:
    """Write a network that hears the same in every sound, and a Chinese character where numbers stay as spoken."""
    scores = np.zeros((16, 4, len(ALPHABET)), np.float32)
    for row, tag in enumerate(tags):
        scores[:, row, ALPHABET.index(tag)] = 2
    scores[:, 0, ALPHABET.index("<|ja|>")] += 1
    if tags[0] == "<|nospeech|>":
        scores[1:, 0, ALPHABET.index("<|en|>")] = 3  # told that it is some language, a network hears one
    numbers = np.tile([ALPHABET.index(token) for token in tokens], (16, 1))
    numbers[AS_SPOKEN, 0] = ALPHABET.index(HAN_ONE)
    constants = [numpy_helper.from_array(scores, "scores"), numpy_helper.from_array(numbers, "numbers")]
    nodes = [
        helper.make_node("Gather", ["scores", "language"], ["tags"]),
        helper.make_node("Gather", ["numbers", "itn"], ["tokens"]),
    ]
    graph = helper.make_graph(
        nodes,
        "answer",
        [value("speech", FLOAT, 560), value("language", INT64), value("itn", INT64)],
        [value("tags", FLOAT, len(ALPHABET)), value("tokens", INT64)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


class Answering:
    """A SenseVoice that hears what a test wants it to hear."""

    def __init__(self, folder: Path, vad: Path, path: Path) -> None:
        self._folder, self._vad, self._path = folder, vad, path

    def __call__(self, tags: str, tokens: list[str], request: Request | None = None) -> RecognizedChunk:
        return self.model(tags, tokens).recognize(NOTHING, request or Request())

    def model(self, tags: str, tokens: list[str]) -> SenseVoice:
        network = write_answer(self._path, [f"<|{tag}|>" for tag in tags.split()], tokens)
        return SenseVoice(
            network=Network(network),
            frontend=Frontend.load(self._folder),
            tokenizer=Tokenizer(tokenizer_file(self._folder)),
            vad=VoiceActivityDetector.load("sensevoice", self._vad),
            max_parallel_chunks=1,
        )


@pytest.fixture
def hear(tiny: Path, starter_models_dir: Path, tmp_path: Path) -> Answering:
    return Answering(tiny, starter_models_dir / "fsmn-vad", tmp_path / "answer.onnx")


def test_tags_become_fields_and_never_text(hear: Answering) -> None:
    reading = hear("en HAPPY Laughter withitn", ["\u2581hello", BLANK, "<|BGM|>", "\u2581wor", "ld", "."])
    assert reading.text == "hello world."
    assert (reading.language, reading.emotion, reading.events) == ("en", "happy", ("laughter", "music"))


def test_plain_speech_has_neither_emotion_nor_events(hear: Answering) -> None:
    reading = hear("zh NEUTRAL Speech withitn", [HAN_ONE, HAN_TWO])
    assert (reading.text, reading.language, reading.emotion, reading.events) == (HAN_ONE + HAN_TWO, "zh", "", ())


def test_where_nobody_speaks_there_is_no_text_but_what_else_is_heard(hear: Answering) -> None:
    assert hear("nospeech NEUTRAL BGM withitn", ["\u2581hello"]) == RecognizedChunk("", "", events=("music",))
    assert hear("en NEUTRAL Speech withitn", [BLANK, BLANK]).text == ""


def test_languages_to_choose_from_make_no_text_where_nobody_speaks(hear: Answering) -> None:
    request = Request(languages=("en", "zh"))
    assert hear("nospeech NEUTRAL BGM withitn", ["\u2581hello"], request) == RecognizedChunk("", "", events=("music",))


def test_a_token_is_written_once_unless_a_blank_is_between(hear: Answering) -> None:
    assert hear("en NEUTRAL Speech withitn", ["\u2581hello", "\u2581hello", BLANK, "\u2581hello"]).text == "hello hello"


def test_words_have_the_times_of_their_rows(hear: Answering) -> None:
    tokens = [BLANK] * 5 + ["\u2581hello"] * 2 + [BLANK] * 3 + ["\u2581wor", BLANK, "ld", "."]
    hello, world = hear("en NEUTRAL Speech withitn", tokens).words
    assert (hello.text, world.text) == ("hello", "world.")
    assert (hello.start, world.start) == pytest.approx((4.5 * ROW_S, 9.5 * ROW_S))
    assert hello.end <= world.start
    assert hello.end >= 6.5 * ROW_S
    assert world.end >= 12.5 * ROW_S


def test_the_language_that_is_asked_for_is_the_one_that_is_told(hear: Answering) -> None:
    assert hear("en NEUTRAL Speech withitn", ["a"], Request(language="yue")).language == "yue"


@pytest.mark.parametrize(
    ("allowed", "expected"), [(("en", "zh"), "en"), (("ja", "zh"), "ja"), (("zh", "ja"), "ja"), ((), "en")]
)
def test_the_likeliest_of_the_allowed_languages_is_taken(
    hear: Answering, allowed: tuple[str, ...], expected: str
) -> None:
    assert hear("en NEUTRAL Speech withitn", ["a"], Request(languages=allowed)).language == expected


@given(st.lists(st.integers(0, 3)))
def test_collapsing_loses_nothing_but_repeats_and_blanks(tokens: list[int]) -> None:
    found = list(collapse_ctc(np.array(tokens, np.int64)))
    for token in found:
        assert token.start < token.end
        assert tokens[token.start : token.end] == [token.number] * (token.end - token.start)
    covered = {row for token in found for row in range(token.start, token.end)}
    assert all(tokens[row] == 0 for row in set(range(len(tokens))) - covered)


def test_numbers_are_written_as_asked(hear: Answering) -> None:
    assert hear("en NEUTRAL Speech withitn", ["a"]).text == "a"
    assert hear("en NEUTRAL Speech withitn", ["a"], Request(itn=False)).text == HAN_ONE


def test_threads_read_side_by_side_as_one_does(shared: Path, sensevoice: Engine) -> None:
    samples = decode(shared / "clips/zh_funasr_asr_example.wav", max_audio_s=60).samples
    model = opened_of(sensevoice)
    pieces = [samples[start : start + 3 * SECOND] for start in range(0, 3 * SECOND, SECOND // 2)]
    alone = [model.recognize(piece, Request()) for piece in pieces]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda piece: model.recognize(piece, Request()), pieces * 3)) == alone * 3


def test_words_of_real_speech_are_where_the_speech_is(shared: Path, sensevoice: Engine) -> None:
    """The network is fed silence first, so that a wrong length of a row or a wrong beginning would show."""
    samples = decode(shared / "clips/zh_funasr_asr_example.wav", max_audio_s=60).samples
    model = opened_of(sensevoice)
    [speech] = model.detect_speech([samples])
    for lead in (0, 6 * SECOND):
        words = model.recognize(np.concatenate([np.zeros(lead, np.int16), samples]), Request()).words
        assert words[0].start >= (lead + speech.start) / SECOND - 0.2
        assert words[-1].end <= (lead + speech.end) / SECOND + 0.2
        assert words[-1].end - words[0].start >= 0.8 * (speech.end - speech.start) / SECOND


def test_segments_begin_with_their_first_word_and_end_with_their_last(shared: Path, sensevoice: Engine) -> None:
    segments = transcribe(sensevoice, shared / "clips/zh_vad_example_70s.wav").segments
    assert len(segments) >= 6
    for segment in segments:
        assert segment.words[0].start == pytest.approx(segment.start, abs=0.2)
        assert segment.words[-1].end == pytest.approx(segment.end, abs=0.2)
    lengths_s = [word.end - word.start for segment in segments for word in segment.words]
    assert 0.1 <= np.median(lengths_s) <= 0.3


def opened_of(engine: Engine) -> SenseVoice:
    model = getattr(engine.backend, "model", None)
    assert isinstance(model, SenseVoice)
    return model


def test_reading_needs_neither_torch_nor_funasr(tiny: Path, exports_dir: Path, sample: Path) -> None:
    exported(tiny, exports_dir, "fp32")
    program = (
        "import sys, threading, pathlib\n"
        "from engine.settings import EngineSettings\nfrom engine.speech import Engine, Request\n"
        f"settings = EngineSettings(model={str(tiny)!r}, models_dir=pathlib.Path({str(exports_dir)!r}),"
        " device='cpu', precision='fp32')\n"
        "engine = Engine.open(settings)\n"
        f"audio = engine.decode(pathlib.Path({str(sample)!r}))\n"
        "engine.transcribe(audio, Request(), on_progress=lambda _: None, cancelled=threading.Event())\n"
        "print({'torch', 'funasr', 'onnx', 'scipy', 'transformers'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_is_missing_is_named(tiny: Path, exports_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sensevoice"
    folder.mkdir()
    for file in ("config.yaml", "configuration.json", "model.pt", "am.mvn"):
        (folder / file).symlink_to(tiny / file)
    with pytest.raises(Exception, match=r"tiny\.bpe\.model is missing"):
        Engine.open(EngineSettings(model=str(folder), models_dir=exports_dir, device="cpu", precision="fp32"))
