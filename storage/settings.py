"""Settings of the database and of what is kept."""

from pydantic import BaseModel, ConfigDict, Field


class DatabaseSettings(BaseModel):
    """The table `[database]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""


class StorageSettings(BaseModel):
    """The table `[storage]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_recordings: int = Field(default=10, ge=0)
