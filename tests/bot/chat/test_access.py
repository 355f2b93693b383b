"""Who gets in."""

from bot.chat.access import Access, RefusalThrottle
from bot.config.settings import AccessSettings


def access(**lists: object) -> Access:
    return Access(AccessSettings.model_validate(lists))


def test_with_no_list_nobody_gets_in() -> None:
    assert not access().allows(1, 1)
    assert not access().allows(1, -1)


def test_admins_users_and_chats_get_in() -> None:
    listed = access(admins=[9], users=[1], chats=[-5])
    assert listed.allows(9, 9)
    assert listed.allows(1, -7)
    assert listed.allows(33, -5)
    assert not listed.allows(33, 33)
    assert not listed.allows(5, 5)


def test_a_group_that_moved_keeps_its_rights() -> None:
    listed = access(chats=[-5])
    listed.add_migration(-5, -1005)
    listed.add_migration(-1005, -1006)
    listed.add_migration(-7, -1007)
    assert listed.allows(33, -1005)
    assert listed.allows(33, -1006)
    assert not listed.allows(33, -1007)


def test_an_open_bot_lets_everybody_in_and_makes_nobody_an_admin() -> None:
    assert access(open=True).allows(33, 33)
    assert not access(open=True).is_admin(33)


def test_a_chat_is_told_once_in_a_while() -> None:
    now = 0.0
    refusal_throttle = RefusalThrottle(pause_s=60, clock=lambda: now)
    assert [refusal_throttle.is_due(5), refusal_throttle.is_due(5), refusal_throttle.is_due(6)] == [True, False, True]
    now = 61.0
    assert refusal_throttle.is_due(5)
