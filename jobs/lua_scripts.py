"""Lua scripts for what must happen in Redis atomically: picking a job, renewing and ending its lease. Keys are arq's.

A lease is arq's `in-progress` key, but its value is the token of one run: only the run with that token may end it.
A job that was put back keeps its score: scores lie in the past, so a later one would put it after all newer jobs.
Instead nobody can take its lease (its value is `later`) until the delay is over.
"""

from dataclasses import dataclass
from typing import cast

from arq import ArqRedis

from jobs.fairness import BEGUN_SCORE
from jobs.redis import QUEUE

PICK = """
local from, passed_over = 0, 0
while passed_over < 500 do
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', from, 100)
  if #found == 0 then return false end
  for i = 1, #found, 2 do
    local is_long = redis.call('EXISTS', 'earshot:long:' .. found[i])
    if is_long == 1 and ARGV[5] == '0' then
      if redis.call('EXISTS', 'arq:in-progress:' .. found[i]) == 0 then passed_over = passed_over + 1 end
    elseif redis.call('SET', 'arq:in-progress:' .. found[i], ARGV[2], 'NX', 'PX', ARGV[3]) then
      redis.call('ZADD', KEYS[1], 'XX', ARGV[4], found[i])
      return {found[i], found[i + 1], redis.call('GET', 'arq:job:' .. found[i]) or '', is_long}
    end
  end
  from = from + 100
end
return false
"""

RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

END = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if (redis.call('GET', KEYS[3]) or '') == ARGV[3] then
  redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
  redis.call('ZREM', KEYS[1], ARGV[2])
end
return 1
"""

PUT_BACK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], 'later', 'PX', ARGV[2]) end
return 1
"""

WAITING_BEFORE = """
local rank = redis.call('ZRANK', KEYS[1], ARGV[1]) or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[2])
local holder = redis.call('GET', 'arq:in-progress:' .. ARGV[1])
if holder and holder ~= 'later' then return false end
if rank == 0 then return {} end
local ids = redis.call('ZRANGE', KEYS[1], 0, rank - 1)
local waiting = {}
for from = 1, #ids, 1000 do
  local keys = {}
  for i = from, math.min(from + 999, #ids) do keys[#keys + 1] = 'arq:in-progress:' .. ids[i] end
  for i, holder in ipairs(redis.call('MGET', unpack(keys))) do
    if not holder or holder == 'later' then waiting[#waiting + 1] = ids[from + i - 1] end
  end
end
return waiting
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job by one worker. `token` is the value of its lease; `payload` is the job as it was picked."""

    job_id: str
    score: int
    token: str
    payload: bytes
    is_long: bool


def long_key(note_id: str) -> str:
    """Return the key that exists while the note is queued and long."""
    return f"earshot:long:{note_id}"


class LuaScripts:
    """The scripts, registered with one Redis."""

    def __init__(self, redis: ArqRedis) -> None:
        """Register the scripts; nothing is sent yet."""
        self._pick = redis.register_script(PICK)
        self._renew = redis.register_script(RENEW)
        self._end = redis.register_script(END)
        self._put_back = redis.register_script(PUT_BACK)
        self._waiting_before = redis.register_script(WAITING_BEFORE)

    async def pick(self, now_ms: int, token: str, lease_ms: int, *, takes_long: bool = True) -> Run | None:
        """Take the lease of the first job that no worker runs, past any number of running ones.

        Without `takes_long`, up to 500 waiting long jobs are skipped, and no more: Redis has others to answer. The
        picked job gets the score of begun ones, so that it is the first again if this run dies.
        """
        args: list[int | str] = [now_ms, token, lease_ms, BEGUN_SCORE, int(takes_long)]
        found = cast("list[bytes] | None", await self._pick(keys=[QUEUE], args=args))
        if not found:
            return None
        job_id, score, payload, is_long = found
        return Run(
            job_id=job_id.decode(), score=int(float(score)), token=token, payload=payload, is_long=bool(int(is_long))
        )

    async def renew(self, job_id: str, token: str, lease_ms: int) -> bool:
        """Renew the lease, or take it again if Redis lost it. False if another run has it."""
        return bool(await self._renew(keys=[f"arq:in-progress:{job_id}"], args=[token, lease_ms]))

    async def end(self, run: Run) -> bool:
        """Remove the job. False, with nothing done, if another run has its lease.

        A job that was queued again with another payload while it ran stays in the queue, free to be picked.
        """
        keys = [QUEUE, f"arq:in-progress:{run.job_id}", f"arq:job:{run.job_id}", f"arq:retry:{run.job_id}"]
        keys.append(long_key(run.job_id))
        return bool(await self._end(keys=keys, args=[run.token, run.job_id, run.payload]))

    async def put_back(self, run: Run, delay_ms: int) -> bool:
        """Leave the job in its place, free to be picked once the delay is over. False as for `end`."""
        return bool(await self._put_back(keys=[f"arq:in-progress:{run.job_id}"], args=[run.token, delay_ms]))

    async def waiting_before(self, job_id: str, score: int) -> list[str] | None:
        """Return the ids of the waiting jobs that are picked before this one, in order; None if this one runs.

        A job that is not queued is taken to come in with `score`.
        """
        found = cast("list[bytes] | None", await self._waiting_before(keys=[QUEUE], args=[job_id, score]))
        return None if found is None else [waiting.decode() for waiting in found]
