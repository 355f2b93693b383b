"""What people hear while the database does not take their notes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bot.chat import outage_notice
from bot.chat.notice_store import NoticeStore
from bot.chat.outage_notice import OutageNotice
from jobs.intake import Intake
from storage import database
from tests.bot.conftest import House
from tests.storage.samples import incoming

DELAYED = "Your recording cannot be taken in at the moment."


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_notice, "TELL_AFTER_S", 0.2)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.3)


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Hold the database as another program does."""
    with contextlib.closing(sqlite3.connect(house.settings.data_dir / "earshot.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_who_waits_is_told_in_the_message_that_becomes_the_answer(house: House) -> None:
    await house.start_worker()
    with locked(house):
        note = house.speak(1)
        told = await house.hear(DELAYED)
        assert told.reply_to_message is not None
        assert told.reply_to_message.message_id == note.message_id
    answer = await house.answered(note)
    assert answer.message_id == told.message_id
    assert house.texts(house.chat()) == [answer.text]


def hasty(house: House) -> Intake:
    """Make an intake that gives up soon, as one that Telegram waits for."""
    return replace(house.app.intake.intake, within_s=0.5)


async def test_an_update_that_comes_again_is_not_told_again(house: House) -> None:
    intake = replace(house.app.intake, intake=hasty(house))
    note = incoming(chat_id=house.chat().id)
    with locked(house):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await intake.accept(note)
        assert len(house.texts(house.chat())) == 1
    await intake.accept(note)
    await house.hear("In the queue")
    assert len(house.texts(house.chat())) == 1


async def test_what_a_bot_told_before_it_died_becomes_the_answer_of_the_next_one(house: House) -> None:
    note = incoming(chat_id=house.chat().id)
    doomed, next_one = [
        replace(
            house.app.intake, intake=hasty(house), outage_notice=OutageNotice(house.bot, NoticeStore(house.queue.redis))
        )
        for _ in range(2)
    ]
    with locked(house):
        for bot in (doomed, next_one):
            with pytest.raises(TimeoutError):
                await bot.accept(note)
        assert len(house.texts(house.chat())) == 1
    await next_one.accept(note)
    await house.hear("In the queue")
    assert len(house.texts(house.chat())) == 1
