"""Simulated users who send voice notes, each with unique audio, as fast as the workers keep up."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from aiogram.types import Chat, Message, User

from bot.playground.server import Playground
from tests.chaos.verdict import Asked, Said
from tests.end_to_end.installation import write_noise

PEOPLE = 40
SECONDS = (0.5, 2.5)
UNANSWERED = 10  # so many wait at a time: enough for three workers, few enough that a kill hits what is being worked on
STUCK_S = 60.0  # a note that is lost does not stop the others
PAUSE_S = 0.15
GROUP_SHARE, BURST_SHARE = 0.03, 0.04
BURST = (3, 6)
FIRST_GROUP = -1_001_000_000_001


@dataclass(slots=True)
class Senders:
    """Sends `notes` notes; `asked` has those sent so far."""

    playground: Playground
    folder: Path
    notes: int
    seed: int
    asked: list[Asked] = field(default_factory=list)
    _dice: random.Random = field(init=False)
    _people: list[User] = field(init=False)
    _places: list[tuple[Chat, int | None]] = field(init=False)
    _open: dict[tuple[int, int], Asked] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let everybody open their chats."""
        self._dice = random.Random(f"crowd {self.seed}")  # noqa: S311 - no secret
        self._people = [self.playground.user(number) for number in range(1, PEOPLE + 1)]
        self._places = self._groups()
        for person in self._people:
            self.playground.private_chat(person)

    def _groups(self) -> list[tuple[Chat, int | None]]:
        """Give the places in groups: one without topics, two topics of a forum."""
        group = self.playground.group(FIRST_GROUP, members=tuple(self._people))
        forum = self.playground.group(FIRST_GROUP - 1, forum=True, members=tuple(self._people))
        topics = [self.playground.topic(forum, self._people[0], name) for name in ("Calls", "Ideas")]
        return [(group, None), *((forum, topic) for topic in topics)]

    async def send_all(self, on_sent: Callable[[int], None]) -> None:
        """Send every note when there is room for it; tells `on_sent` how many there are."""
        while len(self.asked) < self.notes:
            await self._room()
            for _ in range(min(self._how_many(), self.notes - len(self.asked))):
                self._send_one()
                on_sent(len(self.asked))
            await asyncio.sleep(self._dice.expovariate(1 / PAUSE_S))

    def _how_many(self) -> int:
        return self._dice.randint(*BURST) if self._dice.random() < BURST_SHARE else 1

    async def _room(self) -> None:
        ends = monotonic() + STUCK_S
        while len(self.unanswered()) >= UNANSWERED and monotonic() < ends:  # noqa: ASYNC110 - chats are looked at from outside
            await asyncio.sleep(PAUSE_S)

    def _send_one(self) -> None:
        person = self._dice.choice(self._people)
        place, thread_id = self.playground.private_chat(person), None
        if self._dice.random() < GROUP_SHARE:
            place, thread_id = self._dice.choice(self._places)
        sound = self.folder / "sound.wav"
        text = write_noise(sound, self.seed * 1_000_003 + len(self.asked), round(self._dice.uniform(*SECONDS), 1))
        sent = self.playground.send_voice(place, person, sound, thread_id=thread_id)
        note = Asked(place.id, sent.message_id, text)
        self.asked.append(note)
        self._open[note.chat_id, note.message_id] = note

    def unanswered(self) -> list[Asked]:
        """Give the notes whose text no reply shows yet."""
        for chat_id in {chat_id for chat_id, _ in self._open}:
            for said in self._said_in(chat_id):
                note = self._open.get((chat_id, said.reply_to or 0))
                if note is not None and note.text == said.text:
                    del self._open[chat_id, note.message_id]
        return list(self._open.values())

    def said(self) -> list[Said]:
        """Give every message of the bot that is left."""
        return [said for chat_id in self.playground.state.conversations for said in self._said_in(chat_id)]

    def _said_in(self, chat_id: int) -> list[Said]:
        chat = self.playground.state.conversations[chat_id].chat
        return [_said(message) for message in self.playground.messages(chat) if self._is_the_bots(message)]

    def _is_the_bots(self, message: Message) -> bool:
        return message.from_user is not None and message.from_user.id == self.playground.state.bot.id


def _said(message: Message) -> Said:
    answered = message.reply_to_message
    reply_to = answered.message_id if answered else None
    return Said(message.chat.id, message.message_id, reply_to, message.text or message.caption or "")
