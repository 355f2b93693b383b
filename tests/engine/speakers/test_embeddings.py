import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.samples import Audio, decode
from engine.errors import ModelBroken
from engine.hub.catalogue import SPEAKER_MODEL
from engine.hub.pull import pull
from engine.speakers.clustering import cluster_embeddings
from engine.speakers.embeddings import SpeakerEmbedder
from engine.speech import Engine, Request
from tests.engine.sounds import mono

SECOND = 16_000


@pytest.fixture(scope="module")
def embedder(shared: Path, starter_models_dir: Path) -> SpeakerEmbedder:
    """The real network; where no real speakers are, it need not be fetched."""
    assert shared.is_dir()
    return SpeakerEmbedder(lambda: pull(SPEAKER_MODEL, starter_models_dir, on_progress=lambda *_: None))


def clip(shared: Path, name: str) -> NDArray[np.int16]:
    return mono(decode(shared / "clips" / name, max_audio_s=300))


def told_apart(embedder: SpeakerEmbedder, turns: list[NDArray[np.int16]], speakers: int | None) -> list[set[int]]:
    """Give who is heard in each turn, where 0 is who speaks first."""
    heard = [embedder.embed(turn) for turn in turns]
    numbers = iter(
        cluster_embeddings(np.array([window.vector for turn in heard for window in turn]), speakers).tolist()
    )
    return [{next(numbers) for _ in turn} for turn in heard]


@pytest.mark.parametrize("speakers", [None, 2])
def test_two_real_speakers_are_told_apart(embedder: SpeakerEmbedder, shared: Path, speakers: int | None) -> None:
    stereo = decode(shared / "clips/en_stereo_two_speakers.wav", max_audio_s=60).samples
    left, right = stereo[:, 0], stereo[: 2_800 * 16, 1]
    turns = [left[: 2 * SECOND], right, left[2 * SECOND :]]
    assert told_apart(embedder, turns, speakers) == [{0}, {1}, {0}]


def test_four_real_speakers_are_told_apart_in_two_languages(embedder: SpeakerEmbedder, shared: Path) -> None:
    names = ["en_jfk.flac", "en_librivox_sense_0870.wav", "zh_voice_message.ogg", "en_voice_message_jfk.ogg"]
    names.append("en_long_lj001_multi_minute.mp3")
    turns = [clip(shared, name)[: 5 * SECOND] for name in names]
    assert told_apart(embedder, turns, None) == [{0}, {1}, {2}, {0}, {3}]


@pytest.mark.parametrize("noise_db", [None, -10])
@pytest.mark.parametrize("name", ["en_jfk.flac", "en_librivox_sense_0870.wav", "zh_funasr_asr_example.wav"])
def test_one_real_speaker_stays_one(embedder: SpeakerEmbedder, shared: Path, name: str, noise_db: int | None) -> None:
    samples = clip(shared, name).astype(float)
    if noise_db is not None:
        level = np.sqrt(np.square(samples).mean()) * 10 ** (noise_db / 20)
        samples += np.random.default_rng(0).normal(0, level, len(samples))
    assert told_apart(embedder, [samples.astype(np.int16)], None) == [{0}]


@pytest.mark.parametrize("samples", [1, 399, 8_000, 23_999, 24_000, 24_001, 36_000, 100_000])
def test_speech_of_every_length_has_embeddings(embedder: SpeakerEmbedder, samples: int) -> None:
    noise = np.random.default_rng(0).normal(0, 900, samples).astype(np.int16)
    heard = embedder.embed(noise)
    assert len(heard) >= max(1, samples // 12_000 - 1)
    assert all(0 <= window.middle_s <= samples / SECOND for window in heard)
    np.testing.assert_allclose([np.linalg.norm(window.vector) for window in heard], 1, atol=1e-5)


def test_damaged_weights_raise_a_fault_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="earshot models pull speakers"):
        SpeakerEmbedder(lambda: tmp_path).load()
    (tmp_path / "campplus_cn_en_common.pt").write_bytes(b"nothing")
    with pytest.raises(ModelBroken, match="earshot models pull speakers"):
        SpeakerEmbedder(lambda: tmp_path).load()


def test_a_conversation_on_one_channel_is_told_apart(starter: Engine, embedder: SpeakerEmbedder, shared: Path) -> None:
    embedder.load()
    stereo = decode(shared / "clips/en_stereo_two_speakers.wav", max_audio_s=60).samples
    left, right = stereo[:, 0], stereo[: 2_800 * 16, 1]
    turns = [left[: 2 * SECOND], right, left[2 * SECOND :], right]
    ends_s = np.cumsum([len(turn) for turn in turns]) / SECOND
    transcript = starter.transcribe(
        Audio(samples=np.concatenate(turns)),
        Request(speakers="auto"),
        on_progress=lambda _: None,
        cancelled=threading.Event(),
    )
    right_s = total_s = 0.0
    for segment in transcript.segments:
        for moment in np.arange(segment.start, segment.end, 0.01):
            turn = int(np.searchsorted(ends_s, moment))
            right_s += segment.speaker == f"Speaker {turn % 2 + 1}"
            total_s += 1
    assert right_s / total_s >= 0.9
    assert transcript.segments[-1].text == "The horizon seems extremely distant."
