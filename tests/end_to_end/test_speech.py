"""The main job with real weights: what people say comes back as text, whatever they send and wherever."""

import csv
import difflib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from engine.audio.samples import decode
from tests.end_to_end.installation import Installation, installed, mapped_files, running, words_of
from tests.engine.sounds import mono, tone, write_film, write_sound

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLE = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory, starter_models_dir: Path) -> AsyncIterator[Installation]:
    """Earshot with the starter model, at work."""
    options = {
        "engine__model": "starter",
        "engine__models_dir": str(starter_models_dir),
        "access__chats": "[-1001000000001]",
    }
    async with installed(tmp_path_factory.mktemp("speech"), **options) as prepared, running(prepared) as at_work:
        yield at_work


def heard(answer: str, reference: str) -> float:
    """Give how much of the reference, in words, is in the answer: 0 to 1."""
    return difflib.SequenceMatcher(None, words_of(answer), words_of(reference), autojunk=False).ratio()


async def test_a_voice_note_is_answered_with_its_words_in_the_status_reply(place: Installation, sample: Path) -> None:
    note = place.speak(sample, duration=10)
    first = await place.status_of(note)
    assert (first.text or "").startswith("In the queue")
    assert words_of(await place.text_of(note)) == words_of(SAMPLE)
    assert len(place.replies_to(note)) == 1


@pytest.mark.parametrize("kind", ["audio", "video", "video_note", "document"])
async def test_every_kind_of_recording_is_read(place: Installation, sample: Path, tmp_path: Path, kind: str) -> None:
    samples = mono(decode(sample, max_audio_s=60))[:, np.newaxis]
    if kind in {"video", "video_note"}:
        sound = write_film(tmp_path / "sample.mp4", sound=samples)
    else:
        sound = write_sound(tmp_path / "sample.flac", samples, codec="flac")
    note = place.speak(sound, kind=kind, duration=10, forwarded=True)
    assert heard(await place.text_of(note), SAMPLE) > 0.85


async def test_a_topic_of_a_group_gets_its_answer_in_that_topic(place: Installation, sample: Path) -> None:
    forum = place.playground.group(-1001000000001, forum=True, members=(place.person,))
    topic = place.playground.topic(forum, place.person, "Calls")
    note = place.playground.send_voice(forum, place.person, sample, thread_id=topic)
    assert words_of(await place.text_of(note)) == words_of(SAMPLE)
    status = await place.status_of(note)
    assert (status.message_thread_id, status.is_topic_message) == (topic, True)


async def test_general_of_a_forum_is_answered_too(place: Installation, sample: Path) -> None:
    forum = place.playground.group(-1001000000001, forum=True, members=(place.person,))
    note = place.playground.send_voice(forum, place.person, sample)
    assert words_of(await place.text_of(note)) == words_of(SAMPLE)


async def test_the_bot_holds_no_torch(place: Installation) -> None:
    [bot] = place.children(" bot bot ")
    [worker] = place.children(" bot worker ")
    assert "torch" not in mapped_files(bot)
    assert "torch" in mapped_files(worker)


async def test_a_tone_is_no_speech(place: Installation, tmp_path: Path) -> None:
    note = place.speak(write_sound(tmp_path / "tone.ogg", tone(4), codec="libopus", rate=16_000))
    assert await place.text_of(note) == "No speech found in this recording."


async def test_a_silent_film_is_told_what_it_lacks(place: Installation, tmp_path: Path) -> None:
    note = place.speak(write_film(tmp_path / "silent.mp4", sound=None), kind="video")
    assert await place.text_of(note) == "This file has no sound track. Send one that has."


async def test_english_clips_are_read_nearly_without_error(place: Installation, shared: Path) -> None:
    with (shared / "clips/manifest.tsv").open(encoding="utf-8") as manifest:
        clips = [row for row in csv.DictReader(manifest, delimiter="\t") if row["language"] == "en"]
    chosen = [row for row in clips if row["kind"] in {"human", "human-opus"}][:3]
    notes = [(place.speak(shared / "clips" / row["file"], kind="document"), row["reference_text"]) for row in chosen]
    answers = [await place.text_of(note) for note, _ in notes]
    assert heard(" ".join(answers), " ".join(reference for _, reference in notes)) > 0.92, answers


@pytest.mark.slow
async def test_a_recording_is_read_past_where_it_is_damaged(place: Installation, shared: Path) -> None:
    note = place.speak(shared / "clips/robustness/corrupted_bytes.mp3", kind="document")
    assert len(words_of(await place.text_of(note))) > 50


@pytest.mark.parametrize("kind", ["document", pytest.param("voice", marks=pytest.mark.slow)])
async def test_bad_input_gets_a_sentence_and_stops_nothing(
    place: Installation, shared: Path, sample: Path, tmp_path: Path, kind: str
) -> None:
    names = ["bad.wav", "notsound.wav", "silence_10s.wav", "noise1.wav"]
    notes = {name: place.speak(shared / "clips/robustness" / name, kind=kind) for name in names}
    corrupted = (shared / "clips/robustness/corrupted_bytes.mp3").read_bytes()
    whole = write_sound(tmp_path / "whole.wav", mono(decode(sample, max_audio_s=60))[:, np.newaxis]).read_bytes()
    damaged = {
        "corrupted.mp3": corrupted[: 2 * len(corrupted) // 5],  # 21 of its 53 s, with four broken frames
        "truncated.wav": whole[: len(whole) // 2],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        notes[name] = place.speak(tmp_path / name, kind=kind)
    answers = {name: await place.text_of(note) for name, note in notes.items()}
    assert answers["bad.wav"].startswith("I cannot read this file as audio.")
    assert answers["notsound.wav"].startswith("I cannot read this file as audio.")
    assert answers["silence_10s.wav"] == answers["noise1.wav"] == "No speech found in this recording."
    assert len(words_of(answers["corrupted.mp3"])) > 30
    assert answers["truncated.wav"].startswith("Ever tried")
    assert "only 0:05 of it can be read" in answers["truncated.wav"]
