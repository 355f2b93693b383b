"""Settings of the database and of what is kept."""

from pydantic import BaseModel, ConfigDict, Field

POOL_SIZE = 2  # 40 processes take 80 of the 97 connections that PostgreSQL has for ordinary users by default


class DatabaseSettings(BaseModel):
    """The table `[database]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    pool_size: int = Field(default=POOL_SIZE, ge=1)


class StorageSettings(BaseModel):
    """The table `[storage]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_recordings: int = Field(default=10, ge=0)
