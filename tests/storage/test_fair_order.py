"""The order of notes by their tags: workers take the note with the lowest tag, and of several the oldest."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from sqlalchemy import text

from storage.database import Database, open_database
from storage.fair_order import LONG_S, LONGEST_S, cost_ms
from storage.note import Failure, Note
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record

Step = tuple[str, str, float, int]
SHORT, LONG = 20.0, 3600.0
LARGEST_EXACT = 2**53
_bots = count(1000)


@dataclass(eq=False)
class Sent:
    """A note that was sent, or sent again with a retry."""

    note: Note
    sender: str
    seconds: float
    in_front: int  # how many of the same sender and kind waited then
    number: int  # how many notes had been sent then
    taken: int  # and how many taken

    @property
    def is_long(self) -> bool:
        """Say whether it is of the long kind."""
        return self.seconds > LONG_S


@dataclass
class Line:
    """Notes of some senders in the ledger, and workers that take them in the order of their tags."""

    ledger: TelegramLedger
    bot_id: int = field(default_factory=lambda: next(_bots))
    waiting: list[Sent] = field(default_factory=list)
    taken: list[Sent] = field(default_factory=list)
    cancelled: list[Sent] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    async def send(self, sender: str, seconds: float = SHORT) -> Sent:
        what = replace(incoming(user_id=ord(sender), claimed_s=seconds), bot_id=self.bot_id)
        note, _ = await record(self.ledger, what)
        return self._wait(note, sender, seconds)

    async def retry(self, sent: Sent) -> Sent:
        return self._wait(await self.ledger.retry(sent.note.id, {}), sent.sender, sent.seconds)

    async def cancel(self, sent: Sent) -> None:
        assert await self.ledger.cancel(sent.note.id)
        self.waiting.remove(sent)
        self.cancelled.append(sent)

    async def take(self, *, takes_long: bool = True) -> Sent | None:
        """Begin with the next note, which then waits to be fetched, for ever."""
        mine = await self._begin(takes_long=takes_long)
        if mine is None:
            return None
        assert await self.ledger.release(mine.id, mine.fence)
        return self.taken[-1]

    async def answer(self, *, takes_long: bool = True) -> Sent | None:
        """Begin with the next note, and end it."""
        mine = await self._begin(takes_long=takes_long)
        if mine is None:
            return None
        assert await self.ledger.fail(mine.id, mine.fence, Failure(code="error", params={}))
        return self.taken[-1]

    async def rest(self) -> str:
        """Answer all that wait; their senders in this order."""
        begun = len(self.taken)
        while await self.answer():
            pass
        return "".join(sent.sender for sent in self.taken[begun:])

    async def _begin(self, *, takes_long: bool) -> Note | None:
        found = [sent for sent in self.waiting if takes_long or not sent.is_long]
        if not found:
            return None
        first = min(found, key=lambda sent: (sent.note.tag, sent.note.id))
        self.waiting.remove(first)
        self.taken.append(first)
        mine = await self.ledger.claim(first.note.id, "worker")
        assert mine is not None
        return mine

    def _wait(self, note: Note, sender: str, seconds: float) -> Sent:
        like = [sent for sent in self.waiting if (sent.sender, sent.is_long) == (sender, seconds > LONG_S)]
        sent = Sent(note, sender, seconds, in_front=len(like), number=next(self.numbers), taken=len(self.taken))
        self.waiting.append(sent)
        return sent


async def test_accounts_take_turns(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    for sender in "aaaabbbc":
        await line.send(sender)
    assert await line.rest() == "abcababa"


async def test_the_eleventh_note_does_not_run_before_the_ninth_and_the_tenth(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    notes = [await line.send("a") for _ in range(10)]
    for _ in range(8):
        await line.answer()
    notes.append(await line.send("a"))
    await line.rest()
    assert line.taken == notes


async def test_a_note_of_another_account_waits_for_one_note_of_a_backlog_however_much_was_answered(
    ledger: TelegramLedger,
) -> None:
    line = Line(ledger)
    for _ in range(10):
        await line.send("a")
    for _ in range(4):
        await line.answer()
    await line.send("b")
    assert await line.rest() == "abaaaaa"


async def test_who_has_nothing_waiting_has_no_debt(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    notes = [await line.send("a") for _ in range(20)]
    for note in notes[10:]:
        await line.cancel(note)
    await line.rest()
    for _ in range(3):
        await line.send("b")
    await line.send("a")
    assert await line.rest() == "babb"


async def test_who_is_served_at_once_again_and_again_starves_nobody(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    for sender in "aaabcd":
        await line.send(sender)
    for _ in range(12):
        answered = await line.answer()
        assert answered is not None
        if answered.sender != "a":
            await line.send(answered.sender)
    assert [sent.sender for sent in line.taken].count("a") == 3


async def test_what_waits_although_others_are_taken_holds_the_time_of_nobody_up(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    await line.send("x", LONG)  # waits for a place for long ones
    foreign = Line(ledger)
    await foreign.send("x")  # waits for a worker of another bot
    await line.send("x")
    await line.take(takes_long=False)  # cannot be fetched, and is put back again and again
    for sender in "aaabcd":
        await line.send(sender)
    for _ in range(12):
        answered = await line.answer(takes_long=False)
        assert answered is not None
        if answered.sender != "a":
            await line.send(answered.sender)
    assert [sent.sender for sent in line.taken].count("a") == 3


async def test_short_notes_run_before_long_ones_which_do_not_wait_for_ever(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    await line.send("a")
    await line.send("b", LONG)
    for _ in range(20):
        await line.send("a")
    turns_of_an_hour = round(LONG / LONG_S)
    assert await line.rest() == "a" * turns_of_an_hour + "b" + "a" * (21 - turns_of_an_hour)


async def test_a_note_that_is_tried_again_takes_a_new_turn(ledger: TelegramLedger) -> None:
    line = Line(ledger)
    first = await line.send("a")
    await line.answer()
    for sender in "aab":
        await line.send(sender)
    again = await line.retry(first)
    assert again.note.tag > max(sent.note.tag for sent in line.waiting[:-1])
    assert await line.rest() == "abaa"


async def test_notes_that_one_account_sends_at_the_same_time_have_tags_a_turn_apart(
    ledger: TelegramLedger, database: Database
) -> None:
    notes = [note for note, _ in await asyncio.gather(*(record(ledger, incoming()) for _ in range(20)))]
    for note in notes[:5]:
        await ledger.cancel(note.id)
    tried = [ledger.retry(note.id, {}) for note in notes[:5]]
    sent = [record(ledger, incoming()) for _ in range(15)]
    again, new = await asyncio.gather(asyncio.gather(*tried), asyncio.gather(*sent))
    tags = sorted(note.tag for note in (*notes[5:], *again, *(note for note, _ in new)))
    assert [later - earlier >= 1000 * LONG_S for earlier, later in pairwise(tags)] == [True] * 34
    async with database.reading() as connection:
        accounts = (await connection.execute(text("SELECT id FROM accounts"))).scalars().all()
    assert accounts == [notes[0].account] == ["telegram:5"]


STEPS = st.tuples(
    st.sampled_from(["send"] * 6 + ["answer", "take", "cancel", "retry"]),
    st.sampled_from("aaabbc"),
    st.sampled_from([1.0, LONG_S, LONG_S, LONG]),
    st.integers(0, 9),
)


@pytest.mark.parametrize("examples", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_whatever_is_sent_and_taken_the_order_is_fair(database_url: str, tmp_path: Path, examples: int) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(open_database(database_url, tmp_path))

        @settings(
            max_examples=examples, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.lists(STEPS, min_size=8, max_size=24))
        def run(steps: list[Step]) -> None:
            line = Line(TelegramLedger(database))
            runner.run(_all(line, steps))
            _check(line)

        run()
        runner.run(database.close())


async def _all(line: Line, steps: list[Step]) -> None:
    for step in steps:
        await _do(line, *step)
    await line.rest()


def _do(line: Line, what: str, sender: str, seconds: float, number: int) -> Coroutine[None, None, object]:
    match what:
        case "send":
            return line.send(sender, seconds)
        case "cancel" if line.waiting:
            return line.cancel(line.waiting[number % len(line.waiting)])
        case "retry" if line.cancelled:
            return line.retry(line.cancelled.pop(number % len(line.cancelled)))
        case "take":
            return line.take(takes_long=number > 0)
        case _:
            return line.answer(takes_long=number > 0)


def _check(line: Line) -> None:
    for number, sent in enumerate(line.taken):
        before = line.taken[sent.taken : number]
        own = [each for each in before if (each.sender, each.is_long) == (sent.sender, sent.is_long)]
        assert len(own) <= sent.in_front, "nothing overtakes within an account"
        if not sent.is_long and sent.in_front == 0:
            others = [each for each in before if not each.is_long and each.sender != sent.sender]
            came_before = Counter(each.sender for each in others if each.number < sent.number)
            assert max(came_before.values(), default=0) <= 1, "one turn of each other account"
            assert max(Counter(each.sender for each in others).values(), default=0) <= 2  # also of what came later


async def test_tags_stay_where_redis_holds_them_exactly() -> None:
    for claimed_s in (float("inf"), float("nan"), 1e300, 1e6):
        assert cost_ms(incoming(claimed_s=claimed_s).to_note()) <= 1000 * LONGEST_S
    for unknown in (-1.0, 0.0, 1e-9, None):
        assert cost_ms(incoming(claimed_s=unknown).to_note()) == 1000 * LONG_S
    assert 10**8 * 1000 * LONGEST_S < LARGEST_EXACT
