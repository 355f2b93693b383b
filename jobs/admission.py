"""Admission by length: a worker's last place is for short notes, so that none waits until a long one has ended.

Long notes lose nothing: the parts of those that a worker has at hand are transcribed on all its threads.
"""

from storage.note import Note

LONG_S = 300.0  # what has more audio left to transcribe is long
TYPICAL_BYTES_PER_S = 8000  # for a file whose duration is not known
TYPICAL_S = 20.0  # for one of which nothing is known


def expected_audio_s(note: Note) -> float:
    """Return the seconds of audio that are left to transcribe, as far as is known; 0 if only the delivery is left."""
    guessed_s = (note.claimed_bytes or 0) / TYPICAL_BYTES_PER_S
    return 0.0 if note.state.is_final else note.audio_s or note.claimed_s or guessed_s or TYPICAL_S


def has_room_for_long(long_running: int, places: int) -> bool:
    """Return whether a worker with so many places may take a long note; one with a single place may if it is free."""
    return long_running < max(1, places - 1)
