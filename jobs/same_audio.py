"""Looks for notes with the same audio and the same options, so that no audio is transcribed twice."""

from dataclasses import dataclass

from engine import Transcript
from storage.ledger import Ledger
from storage.note import Note


@dataclass(frozen=True, slots=True)
class SameAudio:
    """What is known of the same audio: its transcript and digest, or whether a worker is transcribing it now."""

    transcript: Transcript | None = None
    digest: str | None = None
    is_running: bool = False


async def find_same_audio(ledger: Ledger, note: Note, options: str) -> SameAudio:
    """Look for the audio of `note`, by its file and, once that is known, its digest.

    Nothing is found for a note that a person asked to be transcribed anew.
    """
    if note.run > 0:
        return SameAudio()
    same = await ledger.find_same_sound(note, options)
    if same is None and note.digest:
        same = await ledger.find_same_digest(note, options, note.digest)
    if same is None:
        return SameAudio(is_running=await ledger.is_same_audio_running(note))
    return SameAudio(await ledger.transcript(same.id), same.digest)
