"""The frame of every outage test: notes sent before, during and after it are all answered."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiogram.types import Message

from tests.end_to_end.installation import Installation, write_noise

LONG_S, SHORT_S = 6.0, 1.0
BACK_S = 40  # from the end of an outage until all is answered, on a machine that is busy with other things
MOST_LINES = 30
SLOW_FAKE = {"engine__model": "fake", "engine__fake_rtf": "0.5", "access__open": "true"}
_numbers = itertools.count(100)


@dataclass
class Conversation:
    """The notes that were sent, each with the text that it has to be answered with."""

    place: Installation
    texts: list[tuple[Message, str]] = field(default_factory=list)

    def speak(self, seconds: float = SHORT_S) -> Message:
        """Let somebody new, whose chat bears every message, send a note that sounds like no other."""
        number, playground = next(_numbers), self.place.playground
        file = self.place.folder / f"note-{number}.wav"
        text = write_noise(file, number, seconds)
        person = playground.user(number)
        note = playground.send_voice(playground.private_chat(person), person, file, duration=round(seconds))
        self.texts.append((note, text))
        return note

    async def answered(self) -> None:
        """Wait until every note has its text; it has to be the only reply."""
        for note, text in self.texts:
            await self.place.status_of(note, text, BACK_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(BACK_S):
                while self._replies() != self._due():  # noqa: ASYNC110 - a chat tells nobody when it changes
                    await asyncio.sleep(0.1)
        assert self._replies() == self._due()

    def _due(self) -> list[list[str]]:
        return [[text] for _, text in self.texts]

    def _replies(self) -> list[list[str]]:
        return [self.place.replies_to(note) for note, _ in self.texts]


@asynccontextmanager
async def outlived(place: Installation) -> AsyncIterator[Conversation]:
    """Let something be away inside the block while a note runs and others wait; in the end nobody has noticed much."""
    processes, log = place.children(" bot "), place.folder / "run.log"
    before = len(log.read_text())
    talk = Conversation(place)
    await place.status_of(talk.speak(LONG_S), "Transcribing")
    await place.status_of(talk.speak(), "In the queue")
    yield talk
    talk.speak()
    await talk.answered()
    assert place.children(" bot ") == processes, place.log_end()
    calm(log.read_text()[before:])


def calm(log: str) -> None:
    """Make sure that an outage is told in a few lines."""
    assert "Traceback" not in log, log
    lines = [line for line in log.splitlines() if "event=voice_note" not in line]
    assert len(lines) <= MOST_LINES, log
