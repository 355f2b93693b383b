"""The settings of speech recognition: the table `[engine]`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_cache_path
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from engine.scripts import ChineseScript

MOST_SPEAKERS = 20
DEVICE_WANTED = "auto, cpu, or a GPU by torch's name for it, such as cuda or cuda:1"
SPEAKERS_WANTED = f"off, auto, or a number from 1 to {MOST_SPEAKERS}"

_DEVICE = re.compile(r"auto|cpu|(cuda|mps|xpu|npu)(:\d+)?")

Language = Annotated[str, StringConstraints(to_lower=True)]


def _check_speakers(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError("no_speakers", f"write {SPEAKERS_WANTED}") from None


Speakers = Annotated[
    Literal["off", "auto"] | Annotated[int, Field(ge=1, le=MOST_SPEAKERS)], WrapValidator(_check_speakers)
]


def _check_device(name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise PydanticCustomError("no_device", f"write {DEVICE_WANTED}")
    return name


Device = Annotated[str, AfterValidator(_check_device)]


def default_models_dir() -> Path:
    """Give the folder for models in the user's cache."""
    return user_cache_path("earshot") / "models"


class EngineSettings(BaseModel):
    """The table `[engine]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "sensevoice"
    device: Device = "auto"
    precision: Literal["auto", "fp32", "int8", "bf16"] = "auto"
    models_dir: Path = Field(default_factory=default_models_dir)
    timeout_s: float = Field(default=600, gt=0)
    max_audio_s: float = Field(default=14400, gt=0)
    threads: int = Field(default=0, ge=0)
    language: Language = "auto"
    languages: tuple[Language, ...] = ()
    itn: bool = True
    punctuation: bool = True
    chinese: ChineseScript = "as spoken"
    hotwords: Path | None = None
    corrections: bool = False
    speakers: Speakers = "off"
    fake_rtf: float = Field(default=0, ge=0)
