"""Fair order between chats, as a pure function: each note of a chat is scored a quantum behind its earlier ones."""

QUANTUM_MS = 60_000
BEGUN_SCORE = 0  # before all notes that no worker has begun


def score_ms(queued_at_ms: int, unfinished_before: int) -> int:
    """Return the note's score in the queue, in milliseconds; lower runs earlier.

    `unfinished_before` is how many notes of the same chat came earlier and are not over. The first note of a chat is
    scored by its time alone; so a chat that sends many at once does not hold up one that sends a single note.
    """
    return queued_at_ms + QUANTUM_MS * unfinished_before
