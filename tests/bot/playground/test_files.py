import pytest
from aiogram import Bot
from aiogram.types import Chat, User
from aiohttp import ClientPayloadError, ClientResponseError, ClientSession

from bot.playground.server import Playground
from bot.playground.stored_files import KINDS, Kind
from tests.bot.playground.expected_errors import refused


async def file_id_of(bot: Bot) -> str:
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.voice is not None
    return update.message.voice.file_id


async def test_a_voice_note_can_be_downloaded(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    sound = bytes(range(256)) * 1000
    playground.send_voice(chat, ada, sound, duration=0, mime="audio/lies")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.voice is not None
    assert (update.message.voice.duration, update.message.voice.mime_type) == (0, "audio/lies")
    found = await bot.get_file(update.message.voice.file_id)
    assert found.file_size == len(sound)
    assert found.file_path is not None
    content = await bot.download_file(found.file_path)
    assert content is not None
    assert content.read() == sound


async def test_links_expire_and_can_be_had_anew(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_voice(chat, ada, b"OggS")
    file_id = await file_id_of(bot)
    first = await bot.get_file(file_id)
    playground.advance(3601)
    with pytest.raises(ClientResponseError) as expired:
        await bot.download_file(str(first.file_path))
    assert expired.value.status == 404
    second = await bot.get_file(file_id)
    assert await bot.download_file(str(second.file_path)) is not None
    playground.expire_file_links()
    with pytest.raises(ClientResponseError):
        await bot.download_file(str(second.file_path))
    assert playground.violations == []


async def test_large_files_have_no_link(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_voice(chat, ada, bytes(20 * 1024 * 1024 + 1))
    with refused("Bad Request: file is too big"):
        await bot.get_file(await file_id_of(bot))
    assert len(playground.violations) == 1


async def test_unknown_files_have_no_link(bot: Bot) -> None:
    with refused("Bad Request: wrong file_id or the file is temporarily unavailable"):
        await bot.get_file("nonsense")


async def test_links_that_were_never_given_lead_nowhere(playground: Playground, http: ClientSession) -> None:
    async with http.get("/file/bot42:playground/voice/nothing.oga") as response:
        assert response.status == 404
    assert [request.method for request in playground.requests] == ["download"]
    assert len(playground.violations) == 1


async def test_a_download_needs_the_token(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_voice(chat, ada, b"OggS")
    found = await bot.get_file(await file_id_of(bot))
    with pytest.raises(ClientResponseError) as refused:
        await Bot("42:wrong", session=bot.session).download_file(str(found.file_path))
    assert refused.value.status == 401


async def test_a_download_may_break_in_the_middle(playground: Playground, bot: Bot, chat: Chat, ada: User) -> None:
    playground.send_voice(chat, ada, bytes(200_000))
    found = await bot.get_file(await file_id_of(bot))
    playground.fail_next("download", drop="midway")
    with pytest.raises(ClientPayloadError):
        await bot.download_file(str(found.file_path))
    assert await bot.download_file(str(found.file_path)) is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_reaches_the_bot(playground: Playground, bot: Bot, chat: Chat, ada: User, kind: Kind) -> None:
    sent = playground.send_voice(
        chat, ada, b"sound", kind=kind, duration=7, mime="audio/x-test", file_name="a.bin", forwarded=True
    )
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.content_type == kind
    assert update.message.forward_origin is not None
    assert getattr(update.message, kind).file_id == getattr(sent, kind).file_id
    assert playground.content(sent) == b"sound"


async def test_a_forwarded_recording_keeps_its_unique_id(
    playground: Playground, bot: Bot, chat: Chat, forum: Chat, ada: User
) -> None:
    first = playground.send_voice(chat, ada, b"OggS")
    playground.forward(first, forum, ada)
    one, two = [update.message.voice for update in await bot.get_updates() if update.message]
    assert one is not None
    assert two is not None
    assert one.file_unique_id == two.file_unique_id
