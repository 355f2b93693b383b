from pathlib import Path

from arq import ArqRedis

from jobs.notices import Notices
from jobs.redis import connect


async def test_a_notice_is_kept_for_the_next_process_and_forgotten_when_told(redis: ArqRedis) -> None:
    await Notices(redis).keep("note", 7)
    assert await Notices(redis).get("another") is None
    assert await Notices(redis).get("note") == 7
    await Notices(redis).forget("note")
    assert await Notices(redis).get("note") is None


async def test_without_redis_nothing_is_kept_and_nothing_breaks(tmp_path: Path) -> None:
    notices = Notices(connect(f"unix://{tmp_path}/nobody.sock"))
    await notices.keep("note", 7)
    await notices.forget("note")
    assert await notices.get("note") is None
