"""Parses a bot's HTTP request (query, form, multipart or JSON) into text fields and files. Knows no method."""

import json
from dataclasses import dataclass, field
from typing import cast

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.multipart import MultipartResponseWrapper

from bot.playground.api_errors import ApiError, bad_request

MAX_BODY = 50 * 1024 * 1024 + 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file."""

    name: str
    content: bytes


@dataclass(slots=True)
class Fields:
    """Text fields and files of a request, by name."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)


async def read_fields(request: web.Request) -> Fields:
    """Read the query and the body in any of the four encodings that the Bot API accepts.

    Raises:
        ApiError: The body is malformed or larger than `MAX_BODY`.
    """
    fields = Fields(texts=dict(request.query))
    if request.content_type == "application/json":
        fields.texts |= from_json(await _body(request))
    elif request.content_type.startswith("multipart/"):
        await _read_form(request, fields)
    elif request.can_read_body:
        await _body(request)
        fields.texts |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return fields


async def _read_form(request: web.Request, fields: Fields) -> None:
    try:
        await _read_parts(await request.multipart(), fields)
    except (ValueError, AssertionError):
        raise bad_request("can't parse multipart/form-data: boundary not found") from None


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request Entity Too Large") from None


def from_json(body: bytes) -> dict[str, str]:
    """Flatten a JSON object into the texts that a form would carry."""
    try:
        content: object = json.loads(body or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise bad_request("can't parse JSON request")
    named = cast("dict[str, object]", content)
    return {name: _as_text(value) for name, value in named.items() if value is not None}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def read_multipart(reader: MultipartReader | MultipartResponseWrapper) -> Fields:
    """Read a multipart body that did not come as a request, such as a webhook's answer."""
    fields = Fields()
    await _read_parts(reader, fields)
    return fields


async def _read_parts(reader: MultipartReader | MultipartResponseWrapper, fields: Fields) -> None:
    left = MAX_BODY
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise bad_request("nested multipart bodies are not supported")
        content = await _read_part(part, left)
        left -= len(content)
        if part.filename is None:
            fields.texts[part.name or ""] = content.decode("utf-8", "replace")
        else:
            fields.files[part.name or ""] = Upload(part.filename, content)


async def _read_part(part: BodyPartReader, limit: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        content += chunk
        if len(content) > limit:
            raise ApiError(413, "Request Entity Too Large")
    return bytes(content)
