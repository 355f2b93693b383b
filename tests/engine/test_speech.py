import csv
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from engine.errors import AudioFault, Cancelled, ModelBroken, ModelMissing, UnknownLanguage, UnknownLanguagesSetting
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.settings import EngineSettings
from engine.speech import Engine, Progress, Request
from tests.engine.sounds import mono, tone, write_film, write_sound
from tests.engine.transcribing import text_of, transcribe, words

SAMPLE_TEXT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
JFK_TEXT = "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country."


def manifest(shared: Path) -> list[dict[str, str]]:
    with (shared / "clips/manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_sample_is_read_word_for_word(starter: Engine, sample: Path) -> None:
    transcript = transcribe(starter, sample)
    assert words(text_of(transcript)) == words(SAMPLE_TEXT)
    assert (transcript.language, transcript.model) == ("en", "starter")
    assert transcript.duration == pytest.approx(9.9, abs=0.2)
    assert 0 <= transcript.segments[0].start < transcript.segments[-1].end <= transcript.duration


@pytest.mark.parametrize("clip", ["en_jfk.flac", "en_voice_message_jfk.ogg"])
def test_no_word_is_lost_at_the_edges_of_speech(starter: Engine, shared: Path, clip: str) -> None:
    assert words(text_of(transcribe(starter, shared / "clips" / clip))) == words(JFK_TEXT)


@pytest.mark.slow
def test_english_clips_are_read_nearly_without_error(starter: Engine, shared: Path) -> None:
    wrong = total = 0
    for row in manifest(shared):
        if row["language"] == "en" and row["reference_text"]:
            reference = words(re.sub(r"\[\w+\]", "", row["reference_text"]))
            found = words(text_of(transcribe(starter, shared / "clips" / row["file"])))
            wrong += Levenshtein.distance(reference, found)
            total += len(reference)
    assert wrong / total <= 0.07


def test_each_channel_of_a_telephone_call_is_a_speaker(starter: Engine, shared: Path) -> None:
    transcript = transcribe(starter, shared / "clips/en_stereo_two_speakers.wav")
    said = {segment.speaker: segment.text for segment in transcript.segments}
    assert "wizard" in said["Speaker 1"]
    assert said["Speaker 2"] == "The horizon seems extremely distant."
    assert [segment.start for segment in transcript.segments] == sorted(
        segment.start for segment in transcript.segments
    )


def test_the_sound_of_a_film_is_read(starter: Engine, sample: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", sound=mono(starter.decode(sample))[:, np.newaxis])
    assert words(text_of(transcribe(starter, film))) == words(SAMPLE_TEXT)


@pytest.mark.parametrize("name", ["starter", "sensevoice"])
@pytest.mark.parametrize("clip", ["robustness/silence_10s.wav", "robustness/noise1.wav"])
def test_silence_and_noise_have_no_text(request: pytest.FixtureRequest, shared: Path, name: str, clip: str) -> None:
    engine: Engine = request.getfixturevalue(name)
    transcript = transcribe(engine, shared / "clips" / clip)
    assert (transcript.segments, transcript.language) == ((), "")


@pytest.mark.parametrize(
    "samples",
    [np.zeros((32_000, 1), np.int16), tone(2), tone(0.1), np.random.default_rng(1).normal(0, 99, (32_000, 1))],
    ids=["digital silence", "tone", "blip", "hiss"],
)
def test_what_is_not_speech_has_no_text(starter: Engine, tmp_path: Path, samples: np.ndarray[tuple[int, int]]) -> None:
    path = write_sound(tmp_path / "note.wav", samples.astype(np.int16))
    assert transcribe(starter, path).segments == ()


def ringback() -> np.ndarray[tuple[int, int]]:
    return np.tile(np.concatenate([tone(1, hertz=425) // 3, np.zeros((64_000, 1), np.int16)]), (2, 1))


def plucked() -> np.ndarray[tuple[int, int]]:
    """Give four strings' sound: a burst of noise that goes round and loses its edges."""
    notes = []
    for length in (61, 48, 41, 30):
        rounds = [np.random.default_rng(length).uniform(-8_000, 8_000, length)]
        while len(rounds) * length < 12_800:
            rounds.append(0.49 * (rounds[-1] + np.roll(rounds[-1], -1)))
        notes.append(np.concatenate(rounds))
    return np.concatenate(notes)[:, np.newaxis].astype(np.int16)


@pytest.mark.parametrize("sound", [ringback(), plucked()], ids=["ringback", "plucked strings"])
def test_whisper_makes_no_word_of_what_it_would_describe(
    starter: Engine, tmp_path: Path, sound: np.ndarray[tuple[int, int]]
) -> None:
    path = write_sound(tmp_path / "note.wav", sound)
    assert isinstance(starter.backend, TranscriptionPipeline)
    assert any(not region.is_empty for region in starter.backend.model.detect_speech([sound[:, 0]]))
    assert transcribe(starter, path).segments == ()


def test_every_robustness_clip_is_read_or_refused(sensevoice: Engine, shared: Path) -> None:
    outcome: dict[str, str] = {}
    for clip in sorted((shared / "clips/robustness").iterdir()):
        try:
            outcome[clip.name] = "text" if transcribe(sensevoice, clip).segments else "nothing"
        except AudioFault as fault:
            outcome[clip.name] = fault.code
    assert outcome == {
        "bad.wav": "audio_unreadable",
        "corrupted_bytes.mp3": "text",
        "noise1.wav": "nothing",
        "notsound.wav": "audio_unreadable",
        "silence_10s.wav": "nothing",
        "truncated_half.wav": "text",
    }


def test_sensevoice_reads_chinese(sensevoice: Engine, shared: Path) -> None:
    for clip in ("zh_funasr_asr_example.wav", "zh_voice_message.ogg"):
        transcript = transcribe(sensevoice, shared / "clips" / clip)
        text = text_of(transcript)
        assert transcript.language == "zh"
        assert Levenshtein.distance("欢迎大家来体验达摩院推出的语音识别模型", text) <= 10
        assert not re.search(r"[<|>]", text)


def test_the_same_sound_gives_the_same_text_each_time(sensevoice: Engine, shared: Path) -> None:
    clip = shared / "clips/zh_voice_message.ogg"
    assert transcribe(sensevoice, clip) == transcribe(sensevoice, clip)


def test_a_language_asked_for_does_not_stick(sensevoice: Engine, shared: Path) -> None:
    clip = shared / "clips/zh_voice_message.ogg"
    before = transcribe(sensevoice, clip)
    assert transcribe(sensevoice, clip, language="ja").language == "ja"
    assert transcribe(sensevoice, clip) == before


def test_hotwords_do_not_disturb_a_model_that_has_none(sensevoice: Engine, shared: Path) -> None:
    clip = shared / "clips/zh_voice_message.ogg"
    assert transcribe(sensevoice, clip, hotwords=("达摩院", "http://127.0.0.1:9/x")) == transcribe(sensevoice, clip)


def test_an_unknown_language_is_refused_with_those_that_are_known(starter: Engine, sample: Path) -> None:
    with pytest.raises(UnknownLanguage, match=r"“fr”\. I know: en\."):
        transcribe(starter, sample, language="fr")


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        (Request(), (None, ("en", "ja"))),
        (Request(languages=("zh", "ko")), (None, ("zh", "ko"))),
        (Request(languages=("ko",)), ("ko", ())),
        (Request(language="zh", languages=("en", "ja")), ("zh", ())),
    ],
)
def test_a_language_is_given_or_chosen_among_those_that_are_allowed(
    asked: Request, settled: tuple[str | None, tuple[str, ...]]
) -> None:
    engine = Engine.open(EngineSettings(model="fake", languages=("en", "ja")))
    resolved = engine.resolve_language(asked)
    assert (resolved.language, resolved.languages) == settled
    assert engine.resolve_language(resolved) == resolved


def test_the_languages_of_a_request_come_before_the_language_that_is_set() -> None:
    engine = Engine.open(EngineSettings(model="fake", language="ja"))
    assert engine.resolve_language(Request(languages=("en", "zh"))).language is None
    assert engine.resolve_language(Request()).language == "ja"


def test_an_unknown_language_among_the_allowed_is_named_with_those_that_are_known() -> None:
    engine = Engine.open(EngineSettings(model="fake"))
    with pytest.raises(UnknownLanguage, match=r"“de”\. I know: zh, en, yue, ja, ko"):
        engine.resolve_language(Request(languages=("en", "de")))


def test_a_list_of_languages_that_is_set_wrong_is_told_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguagesSetting, match="sensevoice does not know the language “de”"):
        Engine.open(EngineSettings(model="sensevoice", models_dir=tmp_path, languages=("en", "de")))


@pytest.mark.parametrize(("model", "language"), [("fake", "german"), ("sensevoice", "de"), ("starter", "zh")])
def test_a_language_that_is_set_wrong_is_refused_before_anything_is_loaded(
    tmp_path: Path, model: str, language: str
) -> None:
    settings = EngineSettings(model=model, language=language, models_dir=tmp_path / "models")
    with pytest.raises(UnknownLanguage, match=f"“{language}”. Set engine.language to one of: auto, ") as caught:
        Engine.open(settings)
    assert model in str(caught.value)
    assert not settings.models_dir.exists()


def test_the_language_of_the_settings_holds_where_none_is_asked(tmp_path: Path) -> None:
    engine = Engine.open(EngineSettings(model="fake", language="ja"))
    note = write_sound(tmp_path / "note.wav", tone(1))
    assert transcribe(engine, note).language == "ja"
    assert transcribe(engine, note, language="ko").language == "ko"
    assert transcribe(engine, note, language="auto").language == ""


def test_progress_tells_the_text_so_far_and_cancelling_stops(starter: Engine, sample: Path) -> None:
    audio = starter.decode(sample)
    seen: list[Progress] = []
    starter.transcribe(audio, Request(), on_progress=seen.append, cancelled=threading.Event())
    assert words(seen[-1].text) == words(SAMPLE_TEXT)
    assert seen[-1].done_s <= seen[-1].total_s == audio.duration
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        starter.transcribe(audio, Request(), on_progress=lambda _: None, cancelled=cancelled)


def test_decoding_can_be_cancelled(tmp_path: Path) -> None:
    engine = Engine.open(EngineSettings(model="fake"))
    note = write_sound(tmp_path / "note.wav", tone(1))
    cancelled = threading.Event()
    assert engine.decode(note, cancelled).digest == engine.decode(note).digest
    cancelled.set()
    with pytest.raises(Cancelled):
        engine.decode(note, cancelled)


def test_a_model_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="sensevoice, paraformer, fun-asr-nano, whisper-turbo, starter, or"):
        Engine.open(EngineSettings(model="whisper-9000", models_dir=tmp_path))


def test_a_folder_without_a_model_is_broken(tmp_path: Path, starter_models_dir: Path) -> None:
    with pytest.raises(ModelBroken, match=r"config\.yaml is missing\. engine\.model takes"):
        Engine.open(EngineSettings(model=str(tmp_path), models_dir=starter_models_dir))
