"""Lua scripts for what must happen in Redis atomically: queuing, picking, renewing and ending a job, and its place.

A job is in one of three sorted sets: `waiting` by its turn, `running` by the time at which its lease expires, or
`later` by the time at which it may be picked again. `short` has those of `waiting` that are not long. So no script
walks past what it does not want. `lengths` has the audio of each job, `sums` that of all and of those that run,
`tokens` says which run has a lease, and `again` what was queued once more while it ran. Times are in milliseconds, by
the clock of Redis.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from jobs.redis import PrefixedRedis
from storage.fair_order import LONG_S

BEGUN_SCORE = 0  # before all notes that no worker has begun

# To remove before adding is also for a full Redis, which lets a script go on that has begun to write.
SHARED = f"""
local WAITING, SHORT, RUNNING, LATER, LENGTHS, SUMS, TOKENS, AGAIN, WORKERS, PLACES = unpack(KEYS)
local LONG, BEGUN = {round(1000 * LONG_S)}, {BEGUN_SCORE}
local call = redis.call

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function length(job)
  return tonumber(call('HGET', LENGTHS, job) or '0')
end

local function wait(job, score)
  call('ZADD', WAITING, score, job)
  if length(job) <= LONG then call('ZADD', SHORT, score, job) end
end

local function stop(job)
  call('ZREM', RUNNING, job)
  call('HDEL', TOKENS, job)
  call('HINCRBY', SUMS, 'running', -length(job))
end

local function forget(job)
  call('DEL', 'arq:job:' .. job, 'arq:retry:' .. job)
  call('HINCRBY', SUMS, 'all', -length(job))
  call('HDEL', LENGTHS, job)
  if call('EXISTS', WAITING, RUNNING, LATER) == 0 then call('DEL', SUMS) end
end
"""

# Its arguments are columns: how many jobs, their ids, their scores, lengths and payloads.
ENQUEUE = (
    SHARED
    + """
local count = tonumber(ARGV[1])
local function column(number) return unpack(ARGV, 2 + number * count, 1 + (number + 1) * count) end
local running = call('ZMSCORE', RUNNING, column(0))
local waiting, later = call('ZMSCORE', WAITING, column(0)), call('ZMSCORE', LATER, column(0))
local payloads, lengths, turns, short, again, sum = {}, {}, {}, {}, {}, 0

local function add(list, key, value)
  list[#list + 1] = key
  list[#list + 1] = value
end

for i = 1, count do
  local job, score, ms = ARGV[1 + i], ARGV[1 + count + i], ARGV[1 + 2 * count + i]
  if not waiting[i] and not later[i] then add(payloads, 'arq:job:' .. job, ARGV[1 + 3 * count + i]) end
  if running[i] then
    add(again, job, score .. ' ' .. ms)
  elseif not waiting[i] and not later[i] then
    add(lengths, job, ms)
    add(turns, score, job)
    if tonumber(ms) <= LONG then add(short, score, job) end
    sum = sum + ms
  end
end
if #payloads > 0 then call('MSET', unpack(payloads)) end
if #again > 0 then call('HSET', AGAIN, unpack(again)) end
if #turns == 0 then return end
call('HSET', LENGTHS, unpack(lengths))
call('HINCRBY', SUMS, 'all', sum)
call('ZADD', WAITING, unpack(turns))
if #short > 0 then call('ZADD', SHORT, unpack(short)) end
"""
)

PICK = (
    SHARED
    + """
local token, lease_ms, takes_long = unpack(ARGV)
local now = now_ms()

local function come_back(job)
  if call('EXISTS', 'arq:job:' .. job) == 1 then wait(job, BEGUN) else forget(job) end
end

for _, job in ipairs(call('ZRANGEBYSCORE', RUNNING, '-inf', now, 'LIMIT', 0, 10)) do
  stop(job)
  call('HDEL', AGAIN, job)
  come_back(job)
end
for _, job in ipairs(call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 10)) do
  call('ZREM', LATER, job)
  come_back(job)
end
local first = call('ZPOPMIN', takes_long == '1' and WAITING or SHORT)
if #first == 0 then return false end
local job, score = unpack(first)
call('ZREM', takes_long == '1' and SHORT or WAITING, job)
local ms = length(job)
call('ZADD', RUNNING, now + lease_ms, job)
call('HSET', TOKENS, job, token)
call('HINCRBY', SUMS, 'running', ms)
return {job, score, ms > LONG and 1 or 0}
"""
)

RENEW = (
    SHARED
    + """
local until_ms, renewed = now_ms() + ARGV[1], {}

local function renew(job, token)
  local holder = call('HGET', TOKENS, job)
  if holder and holder ~= token then return end
  if not holder then
    if call('ZSCORE', LATER, job) then return end
    call('ZREM', WAITING, job)
    call('ZREM', SHORT, job)
    call('HINCRBY', SUMS, 'running', length(job))
    call('HSET', TOKENS, job, token)
  end
  call('ZREM', RUNNING, job)
  call('ZADD', RUNNING, until_ms, job)
  renewed[#renewed + 1] = job
end

for i = 2, #ARGV, 2 do renew(ARGV[i], ARGV[i + 1]) end
return renewed
"""
)

END = (
    SHARED
    + """
local job, token = unpack(ARGV)
if call('HGET', TOKENS, job) ~= token then return 0 end
stop(job)
local again = call('HGET', AGAIN, job)
if not again then
  forget(job)
  return 1
end
local score, ms = string.match(again, '(%S+) (%S+)')
call('HDEL', AGAIN, job)
call('HINCRBY', SUMS, 'all', ms - length(job))
call('HSET', LENGTHS, job, ms)
wait(job, score)
return 1
"""
)

PUT_BACK = (
    SHARED
    + """
local job, token, delay_ms = unpack(ARGV)
if call('HGET', TOKENS, job) ~= token then return 0 end
stop(job)
call('HDEL', AGAIN, job)
if delay_ms == '0' then wait(job, BEGUN) else call('ZADD', LATER, now_ms() + delay_ms, job) end
return 1
"""
)

REMOVE = (
    SHARED
    + """
local job = ARGV[1]
if call('ZSCORE', RUNNING, job) then return call('HDEL', AGAIN, job) end
call('ZREM', WAITING, job)
call('ZREM', SHORT, job)
call('ZREM', LATER, job)
forget(job)
"""
)

ANNOUNCE = (
    SHARED
    + """
local worker, places, key, entry, expiry_ms = unpack(ARGV)
call('SET', key, entry, 'PX', expiry_ms)
call('HSET', PLACES, worker, places)
call('ZADD', WORKERS, now_ms() + expiry_ms, worker)
"""
)

# A new job is behind those with the same score. The lengths of the nearest are added up; those behind them count as the
# average of all that are not so near.
PLACE = (
    SHARED
    + """
local job, score, nearest = unpack(ARGV)
if call('ZSCORE', RUNNING, job) then return false end
for _, worker in ipairs(call('ZRANGEBYSCORE', WORKERS, '-inf', now_ms(), 'LIMIT', 0, 10)) do
  call('ZREM', WORKERS, worker)
  call('HDEL', PLACES, worker)
end
local workers, places = call('HVALS', PLACES), 0
for _, of_one in ipairs(workers) do places = places + of_one end
local sums = call('HMGET', SUMS, 'all', 'running')
local all_ms, running_ms = tonumber(sums[1] or '0'), tonumber(sums[2] or '0')
local due = call('ZSCORE', LATER, job)
if due then return {call('ZCOUNT', LATER, '-inf', '(' .. due), 0, running_ms, #workers, places} end

local before = call('ZRANK', WAITING, job) or call('ZCOUNT', WAITING, '-inf', score)
local later, near, ahead_ms = call('ZCARD', LATER), math.min(before, tonumber(nearest)), 0
if near > 0 then
  for _, ms in ipairs(call('HMGET', LENGTHS, unpack(call('ZRANGE', WAITING, 0, near - 1)))) do
    ahead_ms = ahead_ms + (ms or 0)
  end
end
local far = before + later - near
if far > 0 then
  local others = call('ZCARD', WAITING) + later - near
  ahead_ms = ahead_ms + math.max(0, all_ms - running_ms - ahead_ms) / others * far
end
return {before + later, ahead_ms, running_ms, #workers, places}
"""
)

NEAREST = 100
KEYS = ("waiting", "short", "running", "later", "lengths", "sums", "tokens", "again", "workers", "places")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A job to be queued: arq's id and payload of it, its score, and the length of its audio in ms."""

    job_id: str
    payload: bytes
    score: int
    audio_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job by one worker. `token` says which run has the lease."""

    job_id: str
    score: int
    token: str
    is_long: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a waiting job waits for.

    How many jobs are picked before it, their audio and that of all that run, in seconds, and how many workers there are
    with how many places.
    """

    ahead: int
    ahead_s: float
    running_s: float
    workers: int
    at_once: int


class LuaScripts:
    """The scripts, registered with one Redis."""

    def __init__(self, redis: PrefixedRedis) -> None:
        """Register the scripts; nothing is sent yet."""
        self._keys = [redis.key(name) for name in KEYS]
        self._enqueue = redis.register_script(ENQUEUE)
        self._pick = redis.register_script(PICK)
        self._renew = redis.register_script(RENEW)
        self._end = redis.register_script(END)
        self._put_back = redis.register_script(PUT_BACK)
        self._remove = redis.register_script(REMOVE)
        self._announce = redis.register_script(ANNOUNCE)
        self._place = redis.register_script(PLACE)

    async def enqueue(self, jobs: Sequence[QueuedJob]) -> None:
        """Queue jobs. One that waits already is left as it is; one that runs is queued when its run has ended."""
        args: list[str | int | bytes] = [len(jobs), *(job.job_id for job in jobs), *(job.score for job in jobs)]
        args += [*(job.audio_ms for job in jobs), *(job.payload for job in jobs)]
        await self._enqueue(keys=self._keys, args=args)

    async def pick(self, token: str, lease_ms: int, *, takes_long: bool = True) -> Run | None:
        """Take the lease of the first waiting job; None if there is none, or none that is short without `takes_long`.

        Jobs whose lease or delay is over come back first, at the head of the queue.
        """
        args: list[int | str] = [token, lease_ms, int(takes_long)]
        found = cast("tuple[bytes, bytes, int] | None", await self._pick(keys=self._keys, args=args))
        if not found:
            return None
        job_id, score, is_long = found
        return Run(job_id=job_id.decode(), score=int(float(score)), token=token, is_long=bool(is_long))

    async def renew(self, runs: Iterable[Run], lease_ms: int) -> set[str]:
        """Renew leases, or take them again if Redis lost them; return the jobs whose lease no other run has."""
        args: list[str | int] = [lease_ms, *(word for run in runs for word in (run.job_id, run.token))]
        renewed = cast("list[bytes]", await self._renew(keys=self._keys, args=args))
        return {job.decode() for job in renewed}

    async def announce(self, worker_id: str, places: int, key: str, entry: str, expiry_ms: int) -> None:
        """Count a worker with so many places as alive, and keep its entry under `key`, for so long."""
        await self._announce(keys=self._keys, args=[worker_id, places, key, entry, expiry_ms])

    async def end(self, run: Run) -> bool:
        """Remove the job, or let it wait if it was queued again while it ran.

        False, with nothing done, if another run has its lease.
        """
        return bool(await self._end(keys=self._keys, args=[run.job_id, run.token]))

    async def put_back(self, run: Run, delay_ms: int) -> bool:
        """Let the job be picked again, before all that were never begun, once the delay is over. False as for `end`."""
        return bool(await self._put_back(keys=self._keys, args=[run.job_id, run.token, delay_ms]))

    async def remove(self, job_id: str) -> None:
        """Remove the job unless it runs; its run then ends by itself."""
        await self._remove(keys=self._keys, args=[job_id])

    async def place(self, job_id: str, score: int) -> Place | None:
        """Return the place of a job, which may be about to be queued with `score`; None if it runs."""
        args: list[str | int] = [job_id, score, NEAREST]
        found = cast("tuple[int, int, int, int, int] | None", await self._place(keys=self._keys, args=args))
        if found is None:
            return None
        ahead, ahead_ms, running_ms, workers, at_once = found
        return Place(
            ahead=ahead, ahead_s=ahead_ms / 1000, running_s=running_ms / 1000, workers=workers, at_once=at_once
        )
