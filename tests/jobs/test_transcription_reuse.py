"""Recordings that are answered with an earlier transcript, and wishes that ask for another one."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.request import Request
from jobs.door import RetryLater
from jobs.engine_threads import EngineThreads
from jobs.transcription import transcribe_note
from jobs.worker_context import WorkerContext
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from tests.jobs.conftest import Arrivals, until, work_on
from tests.jobs.doors import FileDoor
from tests.jobs.listening_engine import Listening


async def test_the_same_file_is_answered_from_the_ledger(
    context: WorkerContext, arrivals: Arrivals, door: FileDoor
) -> None:
    first = await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    again = await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    assert len(door.events("fetch")) == 1
    assert [event["text"] for event in door.events("done")] == [arrivals.texts[first.id]] * 2
    assert (again.engine_s, again.digest) == (0, first.digest)


def promise_twice_as_much(wave: Path, seconds: int) -> None:
    with wave.open("r+b") as file:
        file.seek(40)
        file.write((2 * seconds * 32_000).to_bytes(4, "little"))


async def test_of_the_same_sound_only_the_file_that_breaks_off_says_so(
    context: WorkerContext, arrivals: Arrivals
) -> None:
    whole = await work_on(context, await arrivals.note(seed=1, seconds=4))
    note = await arrivals.note(seed=1, seconds=4)
    promise_twice_as_much(Path(note.file_id), seconds=4)
    cut = await work_on(context, note)
    assert cut.digest == whole.digest
    assert cut.engine_s == 0
    transcripts = [await context.ledger.transcript(each.id) for each in (whole, cut)]
    assert [transcript and transcript.promised_duration for transcript in transcripts] == [None, 8]


async def test_the_same_sound_is_answered_from_the_ledger(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, door: FileDoor
) -> None:
    for _ in range(2):
        await work_on(context_with, await arrivals.note(seed=1))
    assert len(door.events("fetch")) == 2
    assert len(engine.requests) == 1


async def test_the_same_sound_that_is_being_transcribed_is_waited_for(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: threading.Event) -> None:
        begun.set()
        go_on.wait(30)

    engine.before = slow
    first, second = [await arrivals.note(seed=1) for _ in range(2)]
    working = asyncio.create_task(transcribe_note(context_with, first.id))
    await until(begun.is_set)
    other = replace(context_with, worker_id="worker-b", threads=EngineThreads())
    with pytest.raises(RetryLater):
        await transcribe_note(other, second.id)
    go_on.set()
    await working
    assert (await work_on(other, second)).state is State.DONE
    assert len(engine.requests) == 1


async def test_a_retry_is_transcribed_anew(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger
) -> None:
    note = await work_on(context_with, await arrivals.note())
    await ledger.retry(note.id, {})
    assert (await work_on(context_with, note)).state is State.DONE
    assert len(engine.requests) == 2


async def test_other_wishes_make_another_transcript(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals
) -> None:
    note = await arrivals.note(seed=1, file_unique_id="same")
    await work_on(context_with, note)
    context = replace(context_with, defaults=Request(language="en", hotwords=("Earshot",)))
    await work_on(context, await arrivals.note(seed=1, file_unique_id="same"))
    assert engine.requests == (Request(), Request(language="en", hotwords=("Earshot",)))


async def test_a_note_s_own_language_comes_before_the_default(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger
) -> None:
    note = await work_on(context_with, await arrivals.note())
    await ledger.retry(note.id, {"language": "ja"})
    await work_on(replace(context_with, defaults=Request(language="en", hotwords=("Earshot",))), note)
    assert engine.requests[-1] == Request(language="ja", hotwords=("Earshot",))


async def test_what_the_owner_wishes_of_texts_holds_for_every_note_and_is_asked_for_once(
    context_with: WorkerContext, engine: Listening, arrivals: Arrivals, ledger: TelegramLedger
) -> None:
    wishes = Request(languages=("en", "ja"), itn=False, punctuation=False, chinese="traditional")
    context = replace(context_with, defaults=wishes)
    note, _ = [await work_on(context, await arrivals.note(seed=1, file_unique_id="same")) for _ in range(2)]
    assert [*engine.requests] == [wishes]
    await ledger.retry(note.id, {"language": "ja"})
    await work_on(context, note)
    assert [*engine.requests] == [wishes, replace(wishes, language="ja")]
