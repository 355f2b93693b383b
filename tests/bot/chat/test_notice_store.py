from pathlib import Path

from bot.chat.notice_store import NoticeStore
from jobs.redis import connect
from jobs.redis_server import RedisServer


async def test_a_notice_is_kept_for_the_next_process_and_forgotten_when_told(server: RedisServer) -> None:
    first, second = connect(server.url), connect(server.url)
    await NoticeStore(first).keep("note", 7)
    assert await NoticeStore(second).get("another") is None
    assert await NoticeStore(second).get("note") == 7
    await NoticeStore(second).forget("note")
    assert await NoticeStore(first).get("note") is None
    for redis in (first, second):
        await redis.aclose(close_connection_pool=True)


async def test_without_redis_nothing_is_kept_and_nothing_breaks(tmp_path: Path) -> None:
    notices = NoticeStore(connect(f"unix://{tmp_path}/nobody.sock"))
    await notices.keep("note", 7)
    await notices.forget("note")
    assert await notices.get("note") is None
