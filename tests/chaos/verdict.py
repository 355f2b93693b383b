"""Judges the final chats: each note answered exactly once, with its own text, and no other message of the bot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bot.chat.delivery import PLACEHOLDER

UNFINISHED = ("In the queue", "Transcribing", "Your text is ready.", PLACEHOLDER)
# What the stand-in complains of and faults explain.
EXCUSES = {
    "message is not modified": "whoever takes a note over cannot know what the one before has shown already",
}
TOO_EARLY = "before retry_after had passed"


@dataclass(frozen=True, slots=True)
class Asked:
    """A voice note, and the text that it has to be answered with."""

    chat_id: int
    message_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the bot as the chat shows it in the end, and the message that it is a reply to."""

    chat_id: int
    message_id: int
    reply_to: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger tells of a note in the end."""

    chat_id: int
    message_id: int
    state: str
    is_delivered: bool
    text: str | None


@dataclass(slots=True)
class Verdict:
    """What is wrong, in words; nothing when all is well.

    `leftovers` are status replies without a text, whose sender was killed before it recorded them. They are counted and
    break no promise: Telegram cannot send a message exactly once.
    """

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether anything is wrong."""
        return any((self.lost, self.twice, self.wrong, self.stray))


def judge(asked: Sequence[Asked], said: Iterable[Said]) -> Verdict:
    """Compare what the bot said with what was asked of it; no two notes may sound the same."""
    verdict = Verdict()
    notes = {(note.chat_id, note.message_id): note for note in asked}
    texts = {note.text for note in asked}
    answers = dict.fromkeys(notes, 0)
    for message in said:
        place = message.chat_id, message.reply_to or 0
        note = notes.get(place)
        if note is not None and message.text == note.text:
            answers[place] += 1
        elif note is not None and message.text.startswith(UNFINISHED):
            verdict.leftovers.append(_words(message))
        elif message.text in texts or note is not None:
            verdict.wrong.append(_words(message))
        else:
            verdict.stray.append(_words(message))
    verdict.lost = [f"{note}" for place, note in notes.items() if answers[place] == 0]
    verdict.twice = [f"{note}" for place, note in notes.items() if answers[place] > 1]
    return verdict


def _words(message: Said) -> str:
    return f"chat {message.chat_id}: {message.message_id} in reply to {message.reply_to}: {message.text!r}"


def unsettled(asked: Sequence[Asked], ledger: Iterable[Entry]) -> list[str]:
    """Name the notes that are not done and delivered, with their own text, in the ledger."""
    entries = set(ledger)
    return [
        f"{note}"
        for note in asked
        if Entry(note.chat_id, note.message_id, "done", is_delivered=True, text=note.text) not in entries
    ]


def unexplained(violations: Iterable[str], forgetful: int = 0) -> list[str]:
    """Leave out the violations that faults explain.

    So many times one may come too early after a 429: whoever was frozen between asking for its turn and its request, or
    whose Redis was emptied, cannot know.
    """
    left = [words for words in violations if not any(excuse in words for excuse in EXCUSES)]
    early = [words for words in left if TOO_EARLY in words]
    return [words for words in left if words not in early[:forgetful]]


def quantile(values: Sequence[float], share: float) -> float:
    """Give the smallest of the values that at least `share` of them do not exceed; 0 when there is none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
