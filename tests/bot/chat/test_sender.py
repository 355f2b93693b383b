"""Who speaks in a group: users, channels, anonymous admins, other bots."""

import pytest
from aiogram.types import Chat, Message

from storage.note import State
from tests.bot.conftest import BOB, CLUB, House, awaited, sound

ONE, OTHER = (Chat(id=-1_001_000_000_100 - number, type="channel", title=f"Channel {number}") for number in range(2))
REFUSAL = "Only the sender or a group admin can do that."


async def test_a_channel_has_its_own_recordings_and_another_may_not_delete_them(house: House) -> None:
    bob = house.person(BOB)
    group = house.playground.group(CLUB, members=(bob,))
    note = house.playground.send_voice(group, bob, sound(1), in_name_of=ONE)
    await house.hear("In the queue")
    assert (await house.note_of(note)).user_id == ONE.id
    house.playground.send_text(group, bob, "/delete", reply_to=note, in_name_of=OTHER)
    await house.hear(REFUSAL)
    house.playground.send_text(group, bob, "/delete", reply_to=note, in_name_of=ONE)
    await house.hear("Deleted: ")


async def test_an_anonymous_admin_runs_the_group(house: House) -> None:
    bob, boss = house.person(BOB), house.person(8)
    group = house.playground.group(CLUB, members=(bob,), administrators=(boss,))
    note = house.playground.send_voice(group, bob, sound(1))
    await house.hear("In the queue")
    house.playground.send_text(group, boss, "/delete", reply_to=note, in_name_of=group)
    await house.hear("Deleted: ")


async def test_an_anonymous_admins_recording_is_taken_where_the_group_is_allowed(house: House) -> None:
    boss = house.person(8)
    group = house.playground.group(CLUB, administrators=(boss,))
    note = house.playground.send_voice(group, boss, sound(1), in_name_of=group)
    assert (await house.note_of(note)).user_id == group.id


async def test_other_bots_are_not_heard(house: House) -> None:
    group = house.playground.group(CLUB, members=(house.person(BOB),))
    robot = house.person(BOB).model_copy(update={"id": BOB, "is_bot": True})
    house.playground.send_voice(group, robot, sound(1))
    house.playground.send_text(group, robot, "/help@earshot_bot")
    heard = house.playground.send_voice(group, house.person(BOB), sound(2))
    await house.note_of(heard)
    await house.hear("In the queue")
    assert len(house.texts(group)) == 1


@pytest.mark.parametrize("command", ["/delete", "/cancel", "/retry"])
async def test_where_telegram_hides_the_members_nobody_but_the_sender_may(house: House, command: str) -> None:
    ada, bob = house.person(), house.person(BOB)
    group = house.playground.group(CLUB, members=(bob,), administrators=(ada,), hides_members=True)
    note = house.playground.send_voice(group, bob, sound(1))
    await house.hear("In the queue")
    house.playground.send_text(group, ada, command, reply_to=note)
    await house.hear(REFUSAL)
    assert (await house.note_of(note)).state is State.QUEUED


async def test_a_bare_command_means_ones_own_recording_in_this_topic(house: House) -> None:
    ada, bob = house.person(), house.person(BOB)
    group = house.playground.group(CLUB, forum=True, members=(ada, bob))
    here, there = (house.playground.topic(group, ada, name) for name in ("Here", "There"))
    mine = house.playground.send_voice(group, ada, sound(1), thread_id=here)
    await house.note_of(mine)
    theirs = house.playground.send_voice(group, bob, sound(2), thread_id=here)
    await house.note_of(theirs)
    house.playground.send_text(group, ada, "/audio", thread_id=there)
    await house.hear("There is no recording of yours here yet.")
    house.playground.send_text(group, ada, "/cancel", thread_id=here)
    await awaited(lambda: _is_cancelled(house, mine))
    assert (await house.note_of(theirs)).state is State.QUEUED


async def _is_cancelled(house: House, message: Message) -> bool:
    return (await house.note_of(message)).state is State.CANCELLED
