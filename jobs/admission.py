"""A worker's last place is kept for short notes: however many long ones there are, none waits until one has ended.

Long ones lose nothing by it: the pieces of those at hand are read on all threads.
"""

from storage.note import Note

LONG_S = 300.0
USUAL_BYTES_PER_S = 8000  # of a file that does not tell how long it is


def is_long(note: Note) -> bool:
    """Tell whether the note keeps its place for long; what only has to be delivered does not."""
    guessed_s = (note.claimed_bytes or 0) / USUAL_BYTES_PER_S
    return not note.state.is_final and (note.audio_s or note.claimed_s or guessed_s) > LONG_S


def has_room_for_long(long_at_hand: int, places: int) -> bool:
    """Tell whether a worker that has so many places may take a long note; one that has a single place always may."""
    return long_at_hand < max(1, places - 1)
