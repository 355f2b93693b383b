import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from storage import states
from storage.errors import NoteDeleted
from storage.note import Failure, State
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import IncomingMessage, TelegramNote, account_of_user
from tests.storage.conftest import Later
from tests.storage.samples import BOT, DOOR, incoming, known, record, transcript, unfinished

FAILURE = Failure(code="audio_too_short", params={"min_ms": 100})


async def claimed(ledger: TelegramLedger, **of: str | int) -> TelegramNote:
    note, _ = await record(ledger, incoming(**of))  # type: ignore[arg-type]  # the test's own words
    taken = await ledger.claim(note.id, "worker-a", options="o")
    assert taken is not None
    return note.updated(taken)


async def done(ledger: TelegramLedger, text: str = "hello", digest: str = "d", **of: str | int) -> TelegramNote:
    note = await claimed(ledger, **of)
    assert await ledger.finish(note.id, note.fence, transcript(text), engine_s=0.5, digest=digest)
    return await known(ledger, note)


async def test_the_same_message_again_gives_the_note_that_is_there(ledger: TelegramLedger) -> None:
    first, is_new = await record(ledger, incoming(message_id=1))
    again, is_new_again = await record(ledger, incoming(message_id=1, file_id="other"))
    other_chat, is_new_there = await record(ledger, incoming(message_id=1, chat_id=8))
    assert (is_new, is_new_again, is_new_there) == (True, False, True)
    assert again == first
    assert other_chat.id != first.id


async def test_the_same_message_at_the_same_time_makes_one_note(ledger: TelegramLedger) -> None:
    recorded = await asyncio.gather(*(record(ledger, incoming(message_id=1)) for _ in range(10)))
    assert len({note.id for note, _ in recorded}) == 1
    assert sum(is_new for _, is_new in recorded) == 1


def _marked(mark: str, name: str) -> IncomingMessage:
    marks = {"business_connection_id": "", "guest_query_id": "", mark: name}
    return replace(
        incoming(message_id=1),
        business_connection_id=marks["business_connection_id"],
        guest_query_id=marks["guest_query_id"],
    )


@pytest.mark.parametrize("mark", ["business_connection_id", "guest_query_id"])
async def test_a_message_of_a_business_connection_or_a_guest_is_another_one(ledger: TelegramLedger, mark: str) -> None:
    own, _ = await record(ledger, incoming(message_id=1))
    one, another = (_marked(mark, name) for name in "ab")
    recorded = [(await record(ledger, each)) for each in (one, another, one)]
    assert [is_new for _, is_new in recorded] == [True, True, False]
    assert len({own.id, *(note.id for note, _ in recorded)}) == 3
    for note, _ in recorded:
        await ledger.set_status_message(note.id, 2, instead_of=None)
    assert await ledger.by_message(BOT, own.chat_id, 1) == own
    assert await ledger.by_message(BOT, own.chat_id, 2) is None
    assert await ledger.newest(BOT, own.chat_id, own.user_id, None) == own
    shown = await ledger.page(BOT, own.chat_id, 0)
    assert (shown.notes, shown.total) == ((own,), 1)


async def test_what_was_begun_is_written_although_its_caller_is_cancelled(ledger: TelegramLedger) -> None:
    recording = asyncio.create_task(record(ledger, incoming()))
    await asyncio.sleep(0)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording
    assert len(await ledger.recent()) == 1


async def test_a_whole_life(ledger: TelegramLedger) -> None:
    note, _ = await record(ledger, incoming(file_unique_id="same"))
    taken = await ledger.claim(note.id, "worker-a", options="o")
    assert taken is not None
    assert (taken.state, taken.fence, taken.tries) == (State.PROCESSING, 1, 0)
    assert await ledger.owned([(note.id, taken.fence)])
    assert await ledger.begin_attempt(note.id, taken.fence)
    assert await ledger.renew([(note.id, taken.fence)])
    assert await ledger.set_digest(note.id, taken.fence, "d", audio_s=2.0)
    assert await ledger.finish(note.id, taken.fence, transcript("hello"), engine_s=0.5, digest="d")
    assert await ledger.transcript(note.id) == transcript("hello")
    assert await unfinished(ledger) == [await ledger.get(note.id)]
    assert await ledger.mark_delivered(note.id, taken.fence)
    ended = await known(ledger, note)
    assert (ended.state, ended.audio_s, ended.engine_s, ended.preview) == (State.DONE, 2.0, 0.5, "hello")
    assert ended.delivered_at is not None
    assert await unfinished(ledger) == []
    assert (await ledger.speed()).rtf == pytest.approx(0.25)
    other, _ = await record(ledger, incoming(file_unique_id="same"))
    assert await ledger.find_same_sound(other, "o") == await ledger.get(ended.id)
    assert await ledger.orphaned(0) == [other.id]
    again = await ledger.retry(note.id, {"language": "en"})
    assert (again.state, again.run, again.tries, again.request) == (State.QUEUED, 1, 0, {"language": "en"})
    assert (await ledger.page(BOT, note.chat_id, 0)).total == 2
    assert (await ledger.counts_by_state())[State.QUEUED] == 2
    assert await ledger.delete(note.id)


async def test_moments_have_their_zone(ledger: TelegramLedger) -> None:
    note = await done(ledger)
    assert note.started_at is not None
    assert note.received_at.utcoffset() == timedelta(0)
    assert note.received_at <= note.started_at <= await ledger.current_time()


async def test_a_note_that_a_living_worker_holds_is_not_given_to_another(ledger: TelegramLedger, later: Later) -> None:
    note = await claimed(ledger)
    await later(states.HOLD_S - 2)
    assert await ledger.claim(note.id, "worker-b") is None
    assert await ledger.renew([(note.id, note.fence)])
    await later(2 * states.HOLD_S - 4)
    assert await ledger.claim(note.id, "worker-b") is None


async def test_a_worker_that_lost_its_note_writes_nothing(ledger: TelegramLedger, later: Later) -> None:
    note = await claimed(ledger)
    await later(states.HOLD_S + 1)
    taken = await ledger.claim(note.id, "worker-b")
    assert taken is not None
    assert taken.fence == note.fence + 1
    assert not await ledger.owned([(note.id, note.fence)])
    assert not await ledger.begin_attempt(note.id, note.fence)
    assert not await ledger.renew([(note.id, note.fence)])
    assert not await ledger.finish(note.id, note.fence, transcript("wrong"), engine_s=1, digest="x")
    assert not await ledger.fail(note.id, note.fence, FAILURE)
    assert not await ledger.release(note.id, note.fence)
    assert not await ledger.set_digest(note.id, note.fence, "x", audio_s=1)
    assert await ledger.get(note.id) == taken
    assert await ledger.transcript(note.id) is None


async def test_what_is_done_but_not_delivered_is_claimed_as_it_is(ledger: TelegramLedger, later: Later) -> None:
    note = await done(ledger)
    assert await ledger.claim(note.id, "worker-b") is None
    await later(states.HOLD_S + 1)
    taken = await ledger.claim(note.id, "worker-b")
    assert taken is not None
    assert (taken.state, taken.tries, taken.started_at) == (State.DONE, note.tries, note.started_at)
    assert not await ledger.mark_delivered(note.id, note.fence)
    assert await ledger.mark_delivered(note.id, taken.fence)
    assert await ledger.claim(note.id, "worker-c") is None


async def test_a_note_handed_back_can_be_claimed_at_once_and_counts_no_try(ledger: TelegramLedger) -> None:
    note = await claimed(ledger)
    assert await ledger.begin_attempt(note.id, note.fence)
    assert await ledger.release(note.id, note.fence, begun=True)
    assert (await known(ledger, note)).state is State.QUEUED
    taken = await ledger.claim(note.id, "worker-b")
    assert taken is not None
    assert (taken.tries, taken.fence) == (0, 2)


async def test_a_try_counts_only_when_the_work_had_begun_and_nobody_ended_it(
    ledger: TelegramLedger, later: Later
) -> None:
    note = await claimed(ledger)
    await later(states.HOLD_S + 1)
    taken = await ledger.claim(note.id, "worker-b")
    assert taken is not None
    assert taken.tries == 0
    assert await ledger.begin_attempt(note.id, taken.fence)
    await later(2 * states.HOLD_S + 2)
    again = await ledger.claim(note.id, "worker-c")
    assert again is not None
    assert again.tries == 1


async def test_a_chat_that_cannot_be_told_leaves_the_note_undelivered_and_settled(ledger: TelegramLedger) -> None:
    note = await done(ledger)
    assert not await ledger.mark_undeliverable(note.id, "bot was blocked by the user", note.fence + 1)
    assert await ledger.mark_undeliverable(note.id, "bot was blocked by the user", note.fence)
    ended = await known(ledger, note)
    assert (ended.delivered_at, ended.undeliverable, ended.is_settled) == (None, "bot was blocked by the user", True)
    assert await ledger.claim(note.id, "worker-b") is None
    assert await ledger.orphaned(0) == []
    assert not await ledger.mark_delivered(note.id)
    assert not (await ledger.retry(note.id, {})).is_settled


async def test_who_ended_an_earlier_run_does_not_settle_the_later_one(ledger: TelegramLedger) -> None:
    first = await claimed(ledger)
    assert await ledger.cancel(first.id)
    again = await ledger.retry(first.id, {})
    taken = await ledger.claim(first.id, "worker-b")
    assert taken is not None
    assert await ledger.finish(taken.id, taken.fence, transcript(), engine_s=1, digest="d")
    assert not await ledger.mark_delivered(first.id, run=first.run)
    assert not await ledger.mark_undeliverable(first.id, "blocked", run=first.run)
    assert await ledger.owned([(taken.id, taken.fence)])
    assert await ledger.mark_delivered(again.id, run=again.run)


async def test_a_failure_keeps_its_reason(ledger: TelegramLedger) -> None:
    note = await claimed(ledger)
    assert await ledger.fail(note.id, note.fence, FAILURE)
    failed = await known(ledger, note)
    assert (failed.state, failed.error) == (State.FAILED, FAILURE)


async def test_cancelling_takes_the_note_from_its_worker(ledger: TelegramLedger) -> None:
    note = await claimed(ledger)
    assert await ledger.cancel(note.id)
    assert not await ledger.cancel(note.id)
    assert not await ledger.owned([(note.id, note.fence)])
    assert not await ledger.owned([(note.id, note.fence)])
    assert not await ledger.finish(note.id, note.fence, transcript(), engine_s=1, digest="d")
    assert (await known(ledger, note)).state is State.CANCELLED


async def test_a_retry_starts_over_with_a_status_reply_of_its_own(ledger: TelegramLedger) -> None:
    note = await done(ledger)
    await ledger.set_status_message(note.id, 100, instead_of=None)
    await ledger.add_part(note.id, 1, 101)
    again = await ledger.retry(note.id, {"language": "de"})
    assert (again.state, again.run, again.tries, again.request) == (State.QUEUED, 1, 0, {"language": "de"})
    assert (again.delivered_at, again.error) == (None, None)
    assert (await known(ledger, note)).status_message_id is None
    assert again.preview == note.preview == "hello"
    assert await ledger.text_parts(note.id) == {}
    assert not await ledger.mark_delivered(note.id, note.fence)


async def test_a_retry_of_what_has_not_ended_changes_nothing(ledger: TelegramLedger) -> None:
    note = await claimed(ledger)
    assert note.updated(await ledger.retry(note.id, {"language": "de"})) == note


async def test_a_retry_of_what_is_gone_says_so(ledger: TelegramLedger) -> None:
    with pytest.raises(NoteDeleted):
        await ledger.retry("0" * 16, {})


async def test_every_message_of_a_note_leads_to_it(ledger: TelegramLedger) -> None:
    note = await done(ledger, message_id=10)
    await ledger.set_status_message(note.id, 11, instead_of=None)
    await ledger.add_part(note.id, 1, 12)
    await ledger.retry(note.id, {})
    await ledger.set_status_message(note.id, 13, instead_of=None)
    for message in (10, 11, 12, 13):
        found = await ledger.by_message(BOT, note.chat_id, message)
        assert found is not None
        assert found.id == note.id
    assert await ledger.by_message(BOT, note.chat_id + 1, 11) is None
    assert await ledger.by_message(BOT, note.chat_id, 14) is None


async def test_deleting_leaves_nothing(ledger: TelegramLedger) -> None:
    note = await done(ledger)
    await ledger.set_status_message(note.id, 100, instead_of=None)
    assert await ledger.delete(note.id)
    assert not await ledger.delete(note.id)
    assert await ledger.get(note.id) is None
    assert await ledger.transcript(note.id) is None
    assert await ledger.by_message(BOT, note.chat_id, 100) is None
    await ledger.set_status_message(note.id, 101, instead_of=None)
    assert await ledger.by_message(BOT, note.chat_id, 101) is None


async def test_pages_show_a_chat_its_own_notes_newest_first(ledger: TelegramLedger) -> None:
    mine = [await done(ledger, text=f"text {number}", chat_id=1) for number in range(12)]
    await done(ledger, chat_id=2)
    first, second = await ledger.page(BOT, 1, 0), await ledger.page(BOT, 1, 1)
    assert [note.id for note in (*first.notes, *second.notes)] == [note.id for note in reversed(mine)]
    assert (first.pages, first.total, len(first.notes), first.notes[0].preview) == (2, 12, 10, "text 11")
    assert (await ledger.page(BOT, 1, 99)).page == 1
    assert (await ledger.page(BOT, 3, 0)).notes == ()
    assert len(await ledger.recent(limit=3)) == 3
    assert len(await ledger.recent_of_chat(2, 20)) == 1


async def test_the_same_audio_is_found_only_with_the_same_options(ledger: TelegramLedger) -> None:
    earlier = await done(ledger, file_unique_id="same", digest="sound")
    note = await claimed(ledger, file_unique_id="same")
    found = await ledger.get(earlier.id)
    assert await ledger.find_same_sound(note, "o") == found
    assert await ledger.find_same_sound(note, "other") is None
    assert await ledger.find_same_digest(note, "o", "sound") == found
    assert await ledger.find_same_digest(note, "other", "sound") is None
    assert await ledger.find_same_digest(note, "o", "silence") is None


async def test_of_two_that_hear_the_same_only_the_later_one_waits(ledger: TelegramLedger, later: Later) -> None:
    first, second = await claimed(ledger, file_unique_id="a"), await claimed(ledger, file_unique_id="b")
    assert not await ledger.is_same_audio_running(second)
    for note in (first, second):
        await ledger.set_digest(note.id, note.fence, "sound", audio_s=2)
    first, second = await known(ledger, first), await known(ledger, second)
    assert await ledger.is_same_audio_running(second)
    assert not await ledger.is_same_audio_running(first)
    await later(states.HOLD_S + 1)
    assert not await ledger.is_same_audio_running(second)


async def test_adrift_is_what_nobody_holds_and_nobody_has_just_touched(ledger: TelegramLedger, later: Later) -> None:
    queued, _ = await record(ledger, incoming())
    held = await claimed(ledger)
    over = await done(ledger)
    await ledger.mark_delivered(over.id)
    cancelled = await claimed(ledger)
    await ledger.cancel(cancelled.id)
    assert await ledger.orphaned(quiet_s=5) == []
    await later(6)
    assert await ledger.orphaned(quiet_s=5) == [queued.id]
    await later(states.HOLD_S + 1)
    assert await ledger.orphaned(quiet_s=5) == [queued.id, held.id]


async def test_figures(ledger: TelegramLedger) -> None:
    assert (await ledger.speed()).rtf is None
    assert await ledger.oldest_wait_s() == 0
    await done(ledger, user_id=1)
    await done(ledger, user_id=2)
    await record(ledger, incoming(user_id=1, claimed_s=30.0))
    await record(ledger, incoming(user_id=1, claimed_s=None))
    mine, everybody = await ledger.stats(DOOR, account_of_user(1)), await ledger.stats(DOOR)
    assert (mine.counts[State.DONE], mine.counts[State.QUEUED], mine.audio_s, mine.accounts) == (1, 2, 2.0, 1)
    assert (everybody.counts[State.DONE], everybody.engine_s, everybody.accounts) == (2, 1.0, 2)
    assert await ledger.counts_by_state() == everybody.counts
    assert (await ledger.speed()).rtf == pytest.approx(0.25)
    assert await ledger.oldest_wait_s() > 0


async def test_how_many_notes_were_at_work_at_once(ledger: TelegramLedger, later: Later) -> None:
    assert (await ledger.speed()).concurrency == 1
    await done(ledger)
    await later(60)
    await done(ledger)
    assert (await ledger.speed()).concurrency == 1
    await later(120)
    for _ in range(4):
        note = await claimed(ledger)
        assert await ledger.finish(note.id, note.fence, transcript("hello"), engine_s=30, digest="d")
    assert 2 < (await ledger.speed()).concurrency <= 4


async def test_what_comes_for_a_note_that_is_gone_is_not_kept(ledger: TelegramLedger) -> None:
    note, _ = await record(ledger, incoming())
    assert await ledger.set_status_message(note.id, 1, instead_of=None)
    assert await ledger.add_part(note.id, 1, 2)
    await ledger.delete(note.id)
    assert not await ledger.set_status_message(note.id, 1, instead_of=None)
    assert not await ledger.add_part(note.id, 1, 2)


async def test_the_newest_note_is_that_of_its_sender_in_that_topic(ledger: TelegramLedger) -> None:
    mine, _ = await record(ledger, incoming(chat_id=-1, user_id=5, thread_id=7))
    elsewhere, _ = await record(ledger, incoming(chat_id=-1, user_id=5))
    await record(ledger, incoming(chat_id=-1, user_id=6, thread_id=7))
    assert await ledger.newest(BOT, -1, 5, 7) == mine
    assert await ledger.newest(BOT, -1, 5, None) == elsewhere
    assert await ledger.newest(BOT, -1, 5, 8) is None
