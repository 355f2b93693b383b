"""Every setting in one frozen object: `settings.toml`, overridden by the environment."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from engine.settings import EngineSettings
from jobs.settings import RedisSettings, WorkersSettings
from storage.settings import DatabaseSettings, StorageSettings

PROJECT = Path(__file__).resolve().parent.parent


class TelegramSettings(BaseModel):
    """The table `[telegram]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = SecretStr("")
    api_base: str = "https://api.telegram.org"
    mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str = ""
    webhook_listen: str = "127.0.0.1:8080"
    webhook_secret: SecretStr = SecretStr("")


class AccessSettings(BaseModel):
    """The table `[access]`: Telegram's numeric ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    admins: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()
    chats: frozenset[int] = frozenset()
    open: bool = False


class LogSettings(BaseModel):
    """The table `[log]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None


class Settings(BaseSettings):
    """All settings. `Settings()` reads the file and the environment."""

    model_config = SettingsConfigDict(
        env_prefix="EARSHOT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    data_dir: Path = PROJECT / "data"
    telegram: TelegramSettings = TelegramSettings()
    access: AccessSettings = AccessSettings()
    redis: RedisSettings = RedisSettings()
    database: DatabaseSettings = DatabaseSettings()
    engine: EngineSettings = Field(default_factory=EngineSettings)
    workers: WorkersSettings = WorkersSettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file())


def settings_file() -> Path:
    """Give the path of the settings file: `EARSHOT_CONFIG`, or `settings.toml` beside the program."""
    return Path(os.environ.get("EARSHOT_CONFIG") or PROJECT / "settings.toml")
