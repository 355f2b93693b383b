"""All settings as frozen pydantic models, read from `settings.toml`, overridden by `.env`, and by the environment.

Relative paths in the file are relative to its folder; an empty string or variable means the default.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from engine import EngineSettings
from jobs.settings import RedisSettings, WorkersSettings
from storage.settings import ArtefactsSettings, DatabaseSettings, StorageSettings

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "EARSHOT_"
CONFIG = "EARSHOT_CONFIG"
OFFICIAL_SERVER = "https://api.telegram.org"
LAST_PORT = 65535
TOKEN = re.compile(r"([0-9]+:\S+)?")
PROXY = re.compile(r"((http|socks5h?|socks4a?)://([^\s/@]*@)?[^\s/@]+:[0-9]{1,5}/?)?")
WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
PATHS = frozenset({"data_dir", "models_dir", "hotwords", "file"})


class TelegramSettings(BaseModel):
    """The table `[telegram]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr = SecretStr("")
    api_base: str = OFFICIAL_SERVER
    proxy: SecretStr = SecretStr("")
    mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str = ""
    webhook_listen: str = "127.0.0.1:8080"
    webhook_secret: SecretStr = SecretStr("")

    @field_validator("token")
    @classmethod
    def _has_the_form_of_a_token(cls, token: SecretStr) -> SecretStr:
        if not TOKEN.fullmatch(token.get_secret_value()):
            raise PydanticCustomError("no_token", "this is no bot token; @BotFather gives one such as 123456:ABC-def")
        return token

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, proxy: SecretStr) -> SecretStr:
        if not PROXY.fullmatch(proxy.get_secret_value()):
            raise PydanticCustomError(
                "no_proxy", "write scheme://host:port or scheme://user:password@host:port, with http, socks5 or socks4"
            )
        return proxy

    @field_validator("webhook_listen")
    @classmethod
    def _is_host_and_port(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) <= LAST_PORT:
            raise PydanticCustomError("no_host_and_port", "write host:port, such as 127.0.0.1:8080")
        return listen

    @field_validator("webhook_secret")
    @classmethod
    def _is_taken_by_telegram(cls, secret: SecretStr) -> SecretStr:
        if not WEBHOOK_SECRET.fullmatch(secret.get_secret_value()):
            raise PydanticCustomError(
                "no_webhook_secret", "Telegram takes at most 256 of the characters A-Z, a-z, 0-9, _ and -"
            )
        return secret


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
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a token in the wrong place must not appear in an error
    )

    data_dir: Path = PROJECT / "data"
    telegram: TelegramSettings = TelegramSettings()
    access: AccessSettings = AccessSettings()
    redis: RedisSettings = RedisSettings()
    database: DatabaseSettings = DatabaseSettings()
    engine: EngineSettings = Field(default_factory=EngineSettings)
    workers: WorkersSettings = WorkersSettings()
    storage: StorageSettings = StorageSettings()
    artefacts: ArtefactsSettings = ArtefactsSettings()
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
        """Give the environment precedence over the files, and `.env` over `settings.toml`."""
        # `.env` may hold names that are for other programs
        dotenv = DotEnvSettingsSource(settings_cls, env_file=dotenv_file(), dotenv_filtering="only_existing")
        return init_settings, env_settings, dotenv, SettingsFile(settings_cls, toml_file=settings_file())


class SettingsFile(TomlConfigSettingsSource):
    """Source of the file's values: empty ones removed, paths made absolute."""

    def __call__(self) -> dict[str, Any]:
        """Return the values."""
        return file_values(super().__call__(), settings_file().resolve().parent)


def file_values(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Remove empty strings from `table`, and make its paths absolute from `folder`."""
    said: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            said[key] = file_values(value, folder)
        elif isinstance(value, str) and is_path(key, value, folder):
            said[key] = str(folder / Path(value).expanduser())
        elif value != "":
            said[key] = value
    return said


def is_path(key: str, value: str, folder: Path) -> bool:
    """Tell whether a setting holds a path; a model is one only where such a folder exists."""
    return value != "" and (key in PATHS or (key == "model" and (folder / Path(value).expanduser()).is_dir()))


def settings_file() -> Path:
    """Return the path of the settings file: `EARSHOT_CONFIG`, or `settings.toml` beside the program."""
    return Path(os.environ.get(CONFIG) or PROJECT / "settings.toml")


def dotenv_file() -> Path:
    """Return the path of the file with further environment variables: `.env` beside the settings file."""
    return settings_file().parent / ".env"
