"""What the bot hears and says in groups."""

import pytest

from tests.bot.conftest import BOB, CLUB, House, sound


@pytest.fixture
def private(house: House) -> House:
    """The bot with privacy mode on."""
    house.playground.privacy_mode = True
    return house


@pytest.mark.parametrize("words", ["/retry", "@earshot_bot", "what does it say, @Earshot_Bot?"])
async def test_a_recording_that_privacy_mode_hid_is_taken_in_by_a_reply_to_it(private: House, words: str) -> None:
    ada, bob = private.person(), private.person(BOB)
    group = private.playground.group(CLUB, members=(ada, bob))
    hidden = private.playground.send_voice(group, bob, sound(1))
    await private.start_worker()
    private.playground.send_text(group, ada, words, reply_to=hidden)
    await private.answered(hidden)
    assert (await private.note_of(hidden)).user_id == BOB
    assert len(private.texts(group)) == 1


async def test_a_hidden_recording_is_read_in_the_language_that_the_command_names(private: House) -> None:
    ada = private.person()
    group = private.playground.group(CLUB, members=(ada,))
    hidden = private.playground.send_voice(group, ada, sound(1))
    private.playground.send_text(group, ada, "/retry ja", reply_to=hidden)
    assert (await private.note_of(hidden)).request == {"language": "ja"}


async def test_the_bots_name_in_reply_to_a_known_recording_says_nothing_again(private: House) -> None:
    ada = private.person()
    group = private.playground.group(CLUB, members=(ada,))
    hidden = private.playground.send_voice(group, ada, sound(1))
    for _ in range(2):
        private.playground.send_text(group, ada, "@earshot_bot", reply_to=hidden)
        await private.hear("In the queue")
    private.say("/start")
    await private.hear("Hello!", chat=private.chat())
    assert len(private.texts(group)) == 1


async def test_a_group_that_adds_the_bot_learns_what_privacy_mode_hides(private: House) -> None:
    group = private.playground.group(members=(private.person(),))
    private.playground.readd_bot(group, private.person())
    greeting = (await private.hear("Hello!", chat=group)).text or ""
    assert "/setprivacy" in greeting
    assert "@earshot_bot" in greeting
    assert greeting.endswith(f"access.chats: {group.id}")


async def test_where_the_bot_hears_everybody_the_greeting_is_short(private: House) -> None:
    group = private.playground.group(CLUB, members=(private.person(),), bot_is_administrator=True)
    private.playground.readd_bot(group, private.person())
    await private.hear("Hello!", chat=group)
    assert private.texts(group) == ["Hello! Send a voice note here, and I answer with its text."]


async def test_a_stranger_who_adds_the_bot_learns_what_to_pass_on(house: House) -> None:
    stranger = house.person(77)
    group = house.playground.group(members=(stranger,))
    for _ in range(2):
        house.playground.readd_bot(group, stranger)
    assert str(group.id) in ((await house.hear("I may not work in this group yet.")).text or "")
    house.say("/start")
    await house.hear("Hello!")
    assert len(house.texts(group)) == 1
