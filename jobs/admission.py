"""Admission by length: a worker's last place is for short notes, so that none waits until a long one has ended.

Long notes lose nothing: the parts of those that a worker has at hand are transcribed on all its threads.
"""

from storage.note import Note

LONG_S = 300.0
TYPICAL_BYTES_PER_S = 8000  # for a file whose duration is not known


def is_long(note: Note) -> bool:
    """Return whether the note takes its place for long; one that only has to be delivered does not."""
    guessed_s = (note.claimed_bytes or 0) / TYPICAL_BYTES_PER_S
    return not note.state.is_final and (note.audio_s or note.claimed_s or guessed_s) > LONG_S


def has_room_for_long(long_running: int, places: int) -> bool:
    """Return whether a worker with so many places may take a long note; one with a single place may if it is free."""
    return long_running < max(1, places - 1)
