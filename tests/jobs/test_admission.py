from dataclasses import replace

import pytest

from jobs.admission import expected_audio_s, has_room_for_long
from storage.fair_order import LONG_S, TYPICAL_S
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record


async def test_the_audio_of_a_note_is_what_is_known_of_it(ledger: TelegramLedger) -> None:
    note, _ = await record(ledger, incoming(claimed_s=300))
    assert expected_audio_s(note) == 300
    assert expected_audio_s(replace(note, audio_s=1.0)) == 1
    assert expected_audio_s(replace(note, claimed_s=None, claimed_bytes=8_000_000)) == 1000
    assert expected_audio_s(replace(note, claimed_s=None, claimed_bytes=None)) == TYPICAL_S < LONG_S


async def test_of_what_only_has_to_be_delivered_no_audio_is_left(ledger: TelegramLedger) -> None:
    note, _ = await record(ledger, incoming(claimed_s=3600))
    assert expected_audio_s(replace(note, state=State.DONE)) == 0


@pytest.mark.parametrize(("places", "most"), [(1, 1), (2, 1), (3, 2), (9, 8)])
def test_all_places_but_one_are_for_long_notes(places: int, most: int) -> None:
    assert [has_room_for_long(at_hand, places) for at_hand in range(most + 1)] == [True] * most + [False]
