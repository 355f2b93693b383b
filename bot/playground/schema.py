"""Parses request fields into a typed method call, with aiogram's models as the schema.

Telegram ignores unknown fields. Here each of them is a warning, since it is a typing mistake that nobody would notice
otherwise.
"""

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from aiogram import methods
from aiogram.client.default import Default
from aiogram.types import BufferedInputFile, InputFile
from pydantic import BaseModel, ValidationError

from bot.playground.api_errors import bad_request
from bot.playground.request_parsing import Fields

METHODS: dict[str, type[BaseModel]] = {
    name.lower(): model
    for model in vars(methods).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
    if isinstance(name := vars(model).get("__api_method__"), str)
}
INTEGER = re.compile(r"[+-]?\d+")
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# What Telegram says when a field is missing or cannot be read, where it says it in other words than `_refuse`.
MISSING = {
    "text": "message text is empty",
    "chat_id": "chat_id is empty",
    "message_id": "message identifier is not specified",
    "file_id": "file_id not specified",
    "callback_query_id": "query is too old and response timeout expired or query ID is invalid",
    "action": "wrong parameter action in request",
    "voice": "there is no voice in the request",
    "audio": "there is no audio in the request",
    "video": "there is no video in the request",
    "video_note": "there is no video note in the request",
    "document": "there is no document in the request",
}
MALFORMED = {
    "reply_markup": "can't parse reply keyboard markup JSON object",
    "entities": "can't parse entities: expected an Array of MessageEntity",
    "caption_entities": "can't parse entities: expected an Array of MessageEntity",
    "reply_parameters": "can't parse reply parameters: expected an Object",
    "commands": "can't parse commands: expected an Array of BotCommand",
    "scope": "can't parse BotCommandScope",
    "allowed_updates": "can't parse allowed updates JSON object",
    "link_preview_options": "can't parse link preview options: expected an Object",
    "reaction": "can't parse reaction types JSON object",
}
KEYBOARDS = {
    "inline_keyboard": "InlineKeyboardMarkup",
    "keyboard": "ReplyKeyboardMarkup",
    "remove_keyboard": "ReplyKeyboardRemove",
    "force_reply": "ForceReply",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A valid call: the method with its values, and warnings about unknown fields."""

    method: BaseModel
    warnings: tuple[str, ...]


def method_name(model: type[BaseModel]) -> str:
    """Give the method's name as the documentation writes it."""
    return str(vars(model)["__api_method__"])


def parse_call(model: type[BaseModel], fields: Fields) -> Call:
    """Parse fields into the method's model.

    Raises:
        ApiError: A required field is missing, or one cannot be parsed.
    """
    values = {name: _parse_field(model, name, fields) for name in model.model_fields}
    known = {name: value for name, value in values.items() if value is not None}
    for name, about in model.model_fields.items():
        if about.is_required() and name not in known:
            raise bad_request(MISSING.get(name, f"parameter {name} is empty"))
    absent = {name: None for name in model.model_fields if name not in known and not _is_required(model, name)}
    try:
        call = model.model_validate(absent | known)
    except ValidationError as error:
        raise _refuse(str(error.errors()[0]["loc"][0])) from error
    return Call(call, tuple(_warnings(model, fields, call)))


def _is_required(model: type[BaseModel], name: str) -> bool:
    return model.model_fields[name].is_required()


def _refuse(name: str) -> Exception:
    return bad_request(MALFORMED.get(name, f"invalid {name} specified"))


def _parse_field(model: type[BaseModel], name: str, fields: Fields) -> object:
    kinds = tuple(_field_types(model.model_fields[name].annotation))
    if InputFile in kinds:
        return _file(name, fields)
    text = fields.texts.get(name)
    if text is None or (text == "" and str not in kinds):
        return None
    return _scalar(name, kinds, text) if set(kinds) <= {int, float, bool, str} else _structure(name, kinds, text)


def _field_types(annotation: object) -> Iterator[object]:
    """Name the types that a field may hold, without `None` and aiogram's own defaults."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        for part in get_args(annotation):
            yield from _field_types(part)
    elif origin is Annotated:
        yield from _field_types(get_args(annotation)[0])
    elif origin is Literal:
        yield str
    elif annotation not in {type(None), Default}:
        yield annotation


def _file(name: str, fields: Fields) -> object:
    text = fields.texts.get(name)
    part = text.removeprefix("attach://") if text and text.startswith("attach://") else name
    if part in fields.files:
        upload = fields.files[part]
        return BufferedInputFile(upload.content, filename=upload.name)
    if text and text.startswith("attach://"):
        raise bad_request(f"wrong file identifier/HTTP URL specified: no part named {part}")
    return text


def _scalar(name: str, kinds: tuple[object, ...], text: str) -> object:
    if int in kinds and INTEGER.fullmatch(text.strip()):
        return int(text)
    if str in kinds:
        return text
    if bool in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if float in kinds and re.fullmatch(r"[+-]?\d+(\.\d*)?", text):
        return float(text)
    raise _refuse(name)


def _structure(name: str, kinds: tuple[object, ...], text: str) -> object:
    try:
        content: object = json.loads(text)
    except ValueError:
        raise _refuse(name) from None
    if name == "reply_markup" and len(kinds) > 1:
        return _keyboard(kinds, content)
    return content


def _keyboard(kinds: tuple[object, ...], content: object) -> BaseModel:
    """Choose the keyboard's model by its telling field; a guess could take one kind for another."""
    named = {kind.__name__: kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    telling = [KEYBOARDS[name] for name in KEYBOARDS if isinstance(content, dict) and name in content]
    if not telling:
        raise bad_request("object expected as reply markup")
    try:
        return named[telling[0]].model_validate(content)
    except ValidationError:
        raise _refuse("reply_markup") from None


def _warnings(model: type[BaseModel], fields: Fields, call: BaseModel) -> Iterator[str]:
    attached = {text.removeprefix("attach://") for text in fields.texts.values() if text.startswith("attach://")}
    for name in sorted({*fields.texts, *fields.files} - set(model.model_fields) - attached):
        yield f"unknown parameter “{name}”"
    for name in model.model_fields:
        for path in _unknown(getattr(call, name), name):
            yield f"unknown field “{path}”"


def _unknown(value: object, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, f"{path}[{index}]")
    if isinstance(value, BaseModel):
        yield from (f"{path}.{extra}" for extra in value.model_extra or {})
        for name in value.model_fields_set & set(type(value).model_fields):
            yield from _unknown(getattr(value, name), f"{path}.{name}")
