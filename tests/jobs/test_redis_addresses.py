import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 - redis-py's
from structlog.testing import capture_logs

from jobs.errors import QueueUnreachable, RedisLoginRefused, RedisNotPermitted
from jobs.queue import Queue
from jobs.redis import PrefixedRedis, connect
from jobs.redis_refusals import check_not_refused, refusal
from jobs.resilience import Outage
from storage.note import State
from storage.telegram.ledger import TelegramLedger
from tests.certificates import make_certificates
from tests.jobs.conftest import Arrivals, Workers, until
from tests.jobs.redis_servers import (
    LOGIN,
    PASSWORD,
    USER,
    USERS,
    free_port,
    redis_process,
    tls_in_front_of,
    until_it_answers,
    watched_servers,
)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[PrefixedRedis]:
    redis = connect(url)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    port = free_port()
    with redis_process(tmp_path / "redis", port, USERS):
        await until_it_answers(port, USER, PASSWORD)
        yield port


async def test_a_user_with_a_password_of_any_characters_uses_a_database_of_its_own(port: int) -> None:
    async with (
        connected(f"redis://{LOGIN}@127.0.0.1:{port}/3") as third,
        connected(f"redis://127.0.0.1:{port}?username=app&password=p%40ss%2Fw%3Ard%25&db=0") as none,
    ):
        await third.set("earshot:key", "value")
        assert await third.get("earshot:key") == b"value"
        assert await none.get("earshot:key") is None


async def test_a_wrong_password_is_no_outage(port: int, arrivals: Arrivals) -> None:
    note = await arrivals.note()
    async with connected(f"redis://app:wrong@127.0.0.1:{port}") as redis:
        with pytest.raises(
            RedisLoginRefused, match=r"Redis refuses the login \(invalid username-password pair.*redis\.url"
        ):
            await check_not_refused(redis)
        with pytest.raises(QueueUnreachable, match="refuses the login"):
            await Queue(redis).place(note)
        with capture_logs() as logs:
            assert not await Queue(redis).enqueue(note)
    assert [(line["log_level"], "refuses the login" in line["error"]) for line in logs] == [("error", True)]


async def test_a_missing_password_is_no_outage(port: int) -> None:
    async with connected(f"redis://127.0.0.1:{port}") as redis:
        with pytest.raises(RedisLoginRefused, match="Authentication required"):
            await check_not_refused(redis)


@pytest.mark.parametrize(
    ("login", "reason"), [("reader:read", "evalsha"), ("stranger:other", "key")], ids=["commands", "keys"]
)
async def test_missing_rights_are_no_outage(port: int, arrivals: Arrivals, login: str, reason: str) -> None:
    note = await arrivals.note()
    async with connected(f"redis://{login}@127.0.0.1:{port}") as redis:
        with pytest.raises(RedisNotPermitted, match=f"does not permit what Earshot needs .*{reason}"):
            await check_not_refused(redis)
        with pytest.raises(RedisNotPermitted):
            await Queue(redis).place(note)


async def test_a_key_that_a_script_may_not_touch_is_no_outage(port: int) -> None:
    async with connected(f"redis://stranger:other@127.0.0.1:{port}") as redis:
        with pytest.raises(RedisError) as error:
            await redis.register_script("return redis.call('GET', 'foreign')")()
        assert isinstance(refusal(error.value), RedisNotPermitted)


async def test_a_redis_that_is_away_is_an_outage() -> None:
    async with connected(f"redis://127.0.0.1:{free_port()}") as redis:
        await check_not_refused(redis)
        with pytest.raises(ConnectionError) as error:
            await redis.ping()
    assert refusal(error.value) is None
    with capture_logs() as logs:
        Outage("queue").report_failure(error.value)
    assert logs[0]["log_level"] == "warning"


async def test_tls_is_checked_with_the_authority_that_is_named(port: int, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with tls_in_front_of(port, certificates) as tls:
        named = f"rediss://{LOGIN}@localhost:{tls}/1?ssl_ca_certs={certificates.authority}"
        async with connected(named) as redis:
            assert await redis.ping()
        async with connected(f"rediss://{LOGIN}@localhost:{tls}/1?ssl_cert_reqs=none") as redis:
            assert await redis.ping()
        for refused in (f"rediss://{LOGIN}@localhost:{tls}", named.replace("localhost", "127.0.0.1")):
            async with connected(refused) as redis:
                with pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
                    await redis.ping()


async def test_after_a_failover_every_note_is_answered(
    tmp_path: Path, ledger: TelegramLedger, arrivals: Arrivals
) -> None:
    async with watched_servers(tmp_path / "redis") as servers, connected(servers.url) as redis:
        workers = Workers(tmp_path, servers.url)
        await workers.start(fake_rtf=0.5)
        queue = Queue(redis)
        notes = [await arrivals.note() for _ in range(6)]
        assert all([await queue.enqueue(note) for note in notes])
        await until(lambda: _is_done(ledger, notes[0].id))
        servers.first.kill()
        away_s = await until(lambda: _answers(redis))
        late = await arrivals.note()
        assert await queue.enqueue(late)
        await until(lambda: _are_done(ledger, [note.id for note in (*notes, late)]))
        await workers.end()
    assert away_s < 8


async def test_no_call_is_held_for_long_by_a_failover(tmp_path: Path) -> None:
    async with watched_servers(tmp_path / "redis") as servers, connected(servers.url) as redis:
        await redis.ping()
        servers.first.kill()
        longest_s, began = 0.0, time.monotonic()
        while longest_s == 0.0 or not await _answers(redis):
            longest_s, began = max(longest_s, time.monotonic() - began), time.monotonic()
        assert max(longest_s, time.monotonic() - began) < 3


async def test_sentinels_have_a_password_of_their_own(tmp_path: Path) -> None:
    async with watched_servers(tmp_path / "redis") as servers:
        for url in (servers.bare_url, f"{servers.bare_url}?sentinel_password=wrong"):
            async with connected(url) as redis:
                with pytest.raises(RedisLoginRefused, match="sentinel_password"):
                    await check_not_refused(redis)
        async with connected(servers.url.replace(LOGIN, "app:wrong")) as redis:
            with pytest.raises(RedisLoginRefused, match="invalid username-password pair"):
                await check_not_refused(redis)


async def _answers(redis: PrefixedRedis) -> bool:
    try:
        return bool(await redis.set("earshot:probe", "1"))
    except (ConnectionError, OSError):
        return False


async def _is_done(ledger: TelegramLedger, note_id: str) -> bool:
    note = await ledger.get(note_id)
    return note is not None and note.state is State.DONE


async def _are_done(ledger: TelegramLedger, note_ids: list[str]) -> bool:
    return all([await _is_done(ledger, note_id) for note_id in note_ids])
