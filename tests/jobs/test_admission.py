from dataclasses import replace

import pytest

from jobs.admission import LONG_S, has_room_for_long, is_long
from storage.ledger import Ledger
from storage.note import State
from tests.storage.samples import incoming


async def test_a_note_is_long_by_what_is_known_of_its_sound(ledger: Ledger) -> None:
    note, _ = await ledger.record(incoming(claimed_s=LONG_S))
    assert not is_long(note)
    assert is_long(replace(note, claimed_s=LONG_S + 1))
    assert is_long(replace(note, audio_s=LONG_S + 1))
    assert not is_long(replace(note, claimed_s=LONG_S + 1, audio_s=1.0))
    assert not is_long(replace(note, claimed_s=None, claimed_bytes=None))
    assert is_long(replace(note, claimed_s=None, claimed_bytes=10_000_000))


async def test_what_only_has_to_be_delivered_is_not_long(ledger: Ledger) -> None:
    note, _ = await ledger.record(incoming(claimed_s=3600))
    assert not is_long(replace(note, state=State.DONE))


@pytest.mark.parametrize(("places", "most"), [(1, 1), (2, 1), (3, 2), (9, 8)])
def test_all_places_but_one_are_for_long_notes(places: int, most: int) -> None:
    assert [has_room_for_long(at_hand, places) for at_hand in range(most + 1)] == [True] * most + [False]
