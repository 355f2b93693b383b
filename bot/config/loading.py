"""Reads the settings; a wrong one becomes one sentence that names it and the remedy."""

import json
import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import TypeGuard, get_origin

from click import ClickException
from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from bot.config.settings import CONFIG, PREFIX, Settings, dotenv_file, settings_file

LIST = 'write a list such as [1, 2] or ["en", "de"]'


class InvalidSettings(ClickException):
    """A setting is unknown or has an invalid value; the message names it and the remedy."""


def read_settings() -> Settings:
    """Read the settings file and the environment.

    Raises:
        InvalidSettings: The message names the setting, and never shows its value.
    """
    file = settings_file()
    if CONFIG in os.environ and not file.is_file():
        raise InvalidSettings(f"There is no settings file {file}, which {CONFIG} names.")
    try:
        refuse_unknown_variables()
        return Settings()
    except ValidationError as error:
        raise InvalidSettings(
            "; ".join(describe_problem(problem["loc"], problem) for problem in problems(error))
        ) from None
    except SettingsError:
        raise InvalidSettings(f"{invalid_json_names()}: {LIST}.") from None
    except OSError as error:
        raise InvalidSettings(f"{error.filename} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} is not valid TOML: {error}.") from None


def problems(error: ValidationError) -> list[dict[str, object]]:
    """Return pydantic's errors without the values, which may be secrets."""
    return [dict(found) for found in error.errors(include_url=False, include_input=False, include_context=False)]


def describe_problem(loc: object, problem: dict[str, object]) -> str:
    """Describe one error of pydantic in a sentence."""
    name = ".".join(map(str, loc)) if isinstance(loc, tuple) else str(loc)
    if problem["type"] == "extra_forbidden":
        return f"{settings_file()}: there is no setting {name}{suggest(name, list(setting_names()))}"
    if problem["type"] in {"frozen_set_type", "tuple_type"}:
        return f"{written_name(name)}: {LIST}."
    return f"{written_name(name)}: {problem['msg']}."


def written_name(name: str) -> str:
    """Return how the user wrote the setting's name: its environment variable, or file and dotted name."""
    words = name.split(".")
    table, leaf = environment_name(words[0]), environment_name(".".join(words[:2]))
    found = variables()
    return next((written for written in (leaf, table) if found.get(written)), f"{settings_file()}: {name}")


def invalid_json_names() -> str:
    """Name the environment variables that should hold JSON and do not."""
    tables = [name for name, field in Settings.model_fields.items() if is_table(field.annotation)]
    lists = [name for name, annotation in annotations().items() if get_origin(annotation) in {frozenset, tuple}]
    found = variables()
    return ", ".join(name for name in map(environment_name, (*tables, *lists)) if not is_json(found.get(name)))


def is_table(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Tell whether a field's type is a model of its own: a table in the settings file."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def is_json(text: str | None) -> bool:
    """Tell whether a text is empty or can be read as JSON."""
    try:
        return not text or json.loads(text) is not None
    except ValueError:
        return False


def refuse_unknown_variables() -> None:
    """Refuse environment variables that start with our prefix and name no setting: most likely a typing error."""
    known = {CONFIG, *map(environment_name, setting_names()), *map(environment_name, Settings.model_fields)}
    for name in sorted(variables()):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise InvalidSettings(f"There is no setting {name}{suggest(name, sorted(known))}")


def variables() -> dict[str, str | None]:
    """Return the environment variables, with those in `.env` that are not set outside it."""
    set_outside = {name: value for name, value in os.environ.items() if value}
    return {**dotenv_values(dotenv_file(), encoding="utf-8"), **set_outside}


@cache
def setting_names() -> tuple[str, ...]:
    """Return the dotted names of all settings."""
    return tuple(annotations())


@cache
def annotations() -> dict[str, object]:
    """Map the dotted name of each setting to its type."""
    return dict(walk_settings(Settings))


def walk_settings(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name and the type of each setting, table by table."""
    for name, field in model.model_fields.items():
        if is_table(field.annotation):
            yield from walk_settings(field.annotation, f"{before}{name}.")
        else:
            yield before + name, field.annotation


def environment_name(name: str) -> str:
    """Return the environment variable of a setting: `EARSHOT_ENGINE__MODEL` for `engine.model`."""
    return PREFIX + name.replace(".", "__").upper()


def suggest(wrong: str, known: list[str]) -> str:
    """Suggest the known name that is most similar to a wrong one; "" if none is."""
    near = get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
