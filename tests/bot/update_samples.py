"""Updates of every kind, made from aiogram's own models. For processes with our lazy import and without."""

import json
import sys
import types
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from aiogram import Bot
from aiogram.types import Update
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

PLAIN: dict[object, object] = {int: 7, float: 1.5, str: "some text", bool: True, datetime: 1_700_000_000}


def updates() -> Iterator[dict[str, Any]]:
    """Give an update of every kind, with everything that may be in it, down to the fields of a message."""
    return (update for update in objects(Update, 2) if len(update) > 1)


def objects(model: type[BaseModel], depth: int) -> Iterator[dict[str, Any]]:
    """Give `model` with nothing but what it must have, and then with each other field."""
    model.model_rebuild()
    fields = {about.alias or name: about for name, about in model.model_fields.items()}
    needed = {name: about.annotation for name, about in fields.items() if about.is_required() or _tells_apart(about)}
    least = {name: next(samples(annotation, 0)) for name, annotation in needed.items()}
    yield least
    for name, about in fields.items() if depth else ():
        yield from ({**least, name: sample} for sample in samples(about.annotation, depth - 1))


def _tells_apart(about: FieldInfo) -> bool:
    return get_origin(about.annotation) is Literal


def samples(kind: object, depth: int) -> Iterator[object]:
    """Give JSON of every form that `kind` may have."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        for one in inner:
            yield from samples(one, depth)
    elif origin is Literal:
        yield inner[0]
    elif origin is Annotated:
        yield from samples(inner[0], depth)
    elif origin is list:
        yield from ([sample] for sample in samples(inner[0], depth))
    elif isinstance(kind, TypeAliasType):
        yield from samples(kind.__value__, depth)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from objects(kind, depth)
    elif kind is not types.NoneType:
        yield PLAIN[kind]


def decoded(update: dict[str, Any], bot: Bot) -> str:
    """Read `update`, and say what came of it: all its types and values, and whether they know their bot."""
    read = Update.model_validate(update, context={"bot": bot})
    event = getattr(read, next(name for name in update if name != "update_id"))
    return f"{read!r} {read.model_dump(exclude_unset=True)} {read.bot is bot} {event.bot is bot}"


def write_samples() -> None:
    """Print each update, and on the next line what came of it."""
    bot = Bot("42:TEST")
    for update in updates():
        print(json.dumps(update))  # noqa: T201 - its output is what it is for
        print(decoded(update, bot))  # noqa: T201 - as above


def read_samples() -> None:
    """Read updates from stdin, one a line, and print what came of each."""
    bot = Bot("42:TEST")
    for line in sys.stdin:
        print(decoded(json.loads(line), bot))  # noqa: T201 - as above
