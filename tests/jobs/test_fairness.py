import time

from hypothesis import given, strategies as st

from jobs.fairness import QUANTUM_MS, score_ms
from jobs.queue import Queue
from storage.ledger import Ledger
from tests.jobs.conftest import Arrivals, waiting

moments = st.integers(min_value=1_600_000_000_000, max_value=4_000_000_000_000)
behind = st.integers(min_value=0, max_value=200_000)


@given(moments, behind, st.integers(min_value=0, max_value=10_000))
def test_within_a_chat_the_earlier_note_runs_first(moment: int, before: int, pause_ms: int) -> None:
    earlier, later = score_ms(moment, before), score_ms(moment + pause_ms + 1, before + 1)
    assert earlier < later


@given(moments, st.integers(min_value=1, max_value=200_000))
def test_a_chat_s_first_note_runs_before_another_s_backlog(moment: int, before: int) -> None:
    assert score_ms(moment + QUANTUM_MS - 1, 0) < score_ms(moment, before)


@given(moments, st.integers(min_value=0, max_value=30))
def test_a_backlog_waits_no_longer_than_its_length_allows(moment: int, before: int) -> None:
    assert score_ms(moment, before) < score_ms(moment + (before + 1) * QUANTUM_MS, 0)


async def test_chats_take_turns_in_a_real_queue(queue: Queue, ledger: Ledger, arrivals: Arrivals) -> None:
    sent = [("A", 4), ("B", 3), ("C", 1)]
    names = {}
    for chat, count in sent:
        for number in range(count):
            note = await arrivals.note(chat_id=ord(chat), seconds=0.2)
            names[note.id] = f"{chat}{number}"
            await queue.enqueue(note)
    assert [names[note_id] for note_id in await waiting(queue)] == ["A0", "B0", "C0", "A1", "B1", "A2", "B2", "A3"]
    assert await ledger.oldest_wait_s() < time.monotonic()
