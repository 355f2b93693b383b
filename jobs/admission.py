"""Admission by length: a worker's last place is for short notes, so that none waits until a long one has ended.

Long notes lose nothing: the parts of those that a worker has at hand are transcribed on all its threads.
"""

from storage.fair_order import claimed_audio_s
from storage.note import Note


def expected_audio_s(note: Note) -> float:
    """Return the seconds of audio that are left to transcribe, as far as is known; 0 if only the delivery is left."""
    return 0.0 if note.state.is_final else note.audio_s or claimed_audio_s(note)


def has_room_for_long(long_running: int, places: int) -> bool:
    """Return whether a worker with so many places may take a long note; one with a single place may if it is free."""
    return long_running < max(1, places - 1)
