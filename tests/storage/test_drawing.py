"""The drawing in docs/guarantees.md against the ledger: it shows all ways that a note can take, and no other."""

from collections.abc import Awaitable, Callable

import pytest

from storage import states
from storage.note import Failure, Note
from storage.telegram.ledger import TelegramLedger
from tests.storage.drawing import DRAWN, Step, place_of
from tests.storage.samples import incoming, known, record, transcript

Change = Callable[[TelegramLedger, Note], Awaitable[bool]]


async def _claim(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.claim(note.id, "worker") is not None


async def _claim_delivery(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.claim_delivery(note.id, "worker") is not None


async def _finish(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.finish(note.id, note.fence, transcript(), engine_s=1, digest="d") is not None


async def _fail(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.fail(note.id, note.fence, Failure(code="error", params={})) is not None


async def _mark_delivered(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.mark_delivered(note.id, note.fence) is not None


async def _mark_undeliverable(ledger: TelegramLedger, note: Note) -> bool:
    return await ledger.mark_undeliverable(note.id, "blocked", note.fence) is not None


async def _retry(ledger: TelegramLedger, note: Note) -> bool:
    return (await ledger.retry(note.id, {})).run > note.run


CHANGES: dict[str, Change] = {
    "claim": _claim,
    "claim_delivery": _claim_delivery,
    "release": lambda ledger, note: ledger.release(note.id, note.fence),
    "finish": _finish,
    "fail": _fail,
    "cancel": lambda ledger, note: ledger.cancel(note.id),
    "mark_delivered": _mark_delivered,
    "mark_undeliverable": _mark_undeliverable,
    "retry": _retry,
}
WAYS_TO = {
    "queued": (),
    "processing": ("claim",),
    "done": ("claim", "finish"),
    "failed": ("claim", "fail"),
    "cancelled": ("cancel",),
    "delivered": ("cancel", "mark_delivered"),
    "undeliverable": ("cancel", "mark_undeliverable"),
}


async def _brought_to(ledger: TelegramLedger, place: str) -> Note:
    note, _ = await record(ledger, incoming())
    for change in WAYS_TO[place]:
        assert await CHANGES[change](ledger, await known(ledger, note))
    return await known(ledger, note)


async def test_the_drawing_shows_each_way_that_a_note_can_take_and_no_other(
    ledger: TelegramLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "HOLD_S", -1.0)  # whoever holds a note is taken for dead
    taken = {Step("[*]", "submit", "queued")}
    for start in WAYS_TO:
        for name, change in CHANGES.items():
            note = await _brought_to(ledger, start)
            if await change(ledger, note) and place_of(note) == start:
                taken.add(Step(start, name, place_of(await known(ledger, note))))
    # To hand back what has ended only lets go of it.
    assert {step for step in taken if step.change != "release" or step.start != step.end} == DRAWN
