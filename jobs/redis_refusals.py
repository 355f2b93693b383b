"""Tells a Redis that refuses us from one that does not answer: waiting helps against the second only."""

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from jobs.errors import QueueUnreachable, RedisLoginRefused, RedisNotPermitted
from jobs.redis import PrefixedRedis

NOT_PERMITTED = ("NOPERM", "ACL failure in script", "The user executing the script")
REFUSED_BY_SENTINELS = AuthenticationError.__name__  # within the text in which redis-py puts what each of them said
PROBE = "return redis.call('EXISTS', KEYS[1], KEYS[2])"


def refusal(error: BaseException) -> QueueUnreachable | None:
    """Return the fault that `error` is if Redis answered and refused us; None if it did not answer."""
    text = str(error)
    if isinstance(error, AuthenticationError):
        return RedisLoginRefused(reason=text.rstrip("."))
    if isinstance(error, MasterNotFoundError) and REFUSED_BY_SENTINELS in text:
        return RedisLoginRefused(reason="so say the sentinels, which have a sentinel_password of their own")
    if isinstance(error, NoPermissionError) or (
        isinstance(error, ResponseError) and any(words in text for words in NOT_PERMITTED)
    ):
        return RedisNotPermitted(reason=text.rstrip("."))
    return None


async def check_not_refused(redis: PrefixedRedis) -> None:
    """Check that Redis lets us in and permits scripts on our keys; a Redis that does not answer is no refusal.

    Raises:
        QueueUnreachable: It refuses the login, or what we need.
    """
    try:
        await redis.ping()
        await redis.register_script(PROBE)(keys=[redis.key("waiting"), f"arq:job:{redis.job_id('')}"])
    except (RedisError, OSError) as error:
        if fault := refusal(error):
            raise fault from error
