import re
import time
from unittest import mock

from storage.note_ids import ALPHABET, new_note_id


def test_ids_sort_by_time() -> None:
    began = time.time_ns()
    ids = []
    for milliseconds in range(0, 100_000, 997):
        with mock.patch.object(time, "time_ns", return_value=began + milliseconds * 1_000_000):
            ids.append(new_note_id())
    assert ids == sorted(ids)


def test_an_id_holds_the_time_and_80_random_bits() -> None:
    began_ms = time.time_ns() // 1_000_000
    numbers = [_number(new_note_id()) for _ in range(2000)]
    assert all(0 <= (number >> 80) - began_ms < 60_000 for number in numbers)
    random = [number & (1 << 80) - 1 for number in numbers]
    assert all(0 < sum(number >> bit & 1 for number in random) < len(random) for bit in range(80))


def _number(note_id: str) -> int:
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", note_id)
    number = 0
    for letter in note_id:
        number = number << 5 | ALPHABET.index(letter)
    return number
