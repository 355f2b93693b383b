"""Settings of the queue and its workers."""

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_PREFIX = "earshot"


class RedisSettings(BaseModel):
    """The table `[redis]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    prefix: str = Field(default=DEFAULT_PREFIX, pattern=r"^[A-Za-z0-9_.-]{1,64}$")


class WorkersSettings(BaseModel):
    """The table `[workers]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=0, ge=0)
    grace_s: float = Field(default=30, ge=0)
    notes_at_once: int = Field(default=0, ge=0)
    max_memory_mb: int = Field(default=0, ge=0)
