"""The canonical log line of a note: one line with all its measures, written when the note is over."""

import structlog

from storage.note import Note

log = structlog.get_logger()


def log_outcome(note: Note) -> None:
    """Write the line for a note that is over, whoever ended it."""
    audio_s, engine_s = note.audio_s or 0.0, note.engine_s or 0.0
    queue_s = (note.started_at - note.queued_at).total_seconds() if note.started_at else 0.0
    log.info(
        "voice_note",
        job=note.id,
        audio_s=round(audio_s, 2),
        queue_s=round(queue_s, 2),
        engine_s=round(engine_s, 2),
        rtf=round(engine_s / audio_s, 4) if audio_s else None,
        outcome=note.state.value,
        code=note.error.code if note.error else None,
        delivery="undeliverable" if note.undeliverable else "delivered",
    )
