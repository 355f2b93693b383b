"""Settings of the database, of what is kept, and where."""

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from engine import FORMATS

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
    keep_days: int = Field(default=0, ge=0)


class ArtefactsSettings(BaseModel):
    """The table `[artefacts]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    formats: tuple[str, ...] = ("txt", "vtt")

    @field_validator("formats")
    @classmethod
    def _are_known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(formats).difference(FORMATS)):
            raise PydanticCustomError("no_format", f"there is no format {unknown[0]}; known are {', '.join(FORMATS)}")
        return tuple(dict.fromkeys(formats))
