"""Reads `redis.url` as providers write it, also with sentinels. Opens no connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jobs.errors import RedisUrlInvalid
from storage.url_parts import (
    UrlPartInvalid,
    UrlParts,
    check_words,
    is_number,
    read_host,
    read_words,
    reading_file,
    split_url,
)

REDIS_PORT = 6379
SENTINEL_PORT = 26379
SENTINEL = "+sentinel"
SERVICE = "mymaster"  # what Redis' own example of a configuration calls it
LOGIN_WORDS = ("username", "password")
SENTINEL_LOGIN_WORDS = ("sentinel_username", "sentinel_password")
FILE_WORDS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_WORDS = (*FILE_WORDS, "ssl_cert_reqs", "ssl_check_hostname")
CHOICES = {"ssl_cert_reqs": ("none", "optional", "required"), "ssl_check_hostname": ("true", "false")}


@dataclass(frozen=True)
class RedisAddress:
    """Where Redis is.

    Attributes:
        options: The arguments of a connection to the server, as redis-py names them; with sentinels without a host.
        is_encrypted: Whether server and sentinels are reached by TLS.
        socket: The path of the server's socket; empty for a network.
        sentinels: Hosts and ports of the sentinels, which know where the server is; empty for a server of its own.
        service: What the sentinels call the server.
        sentinel_options: The arguments of a connection to a sentinel, with credentials of its own.
    """

    options: Mapping[str, Any] = field(repr=False)
    is_encrypted: bool = False
    socket: str = ""
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_redis_url(url: str) -> RedisAddress:
    """Read `url`.

    Raises:
        RedisUrlInvalid: It is not understood; the reason names the word, and no password.
    """
    try:
        return _read(url)
    except UrlPartInvalid as error:
        raise RedisUrlInvalid(reason=str(error)) from None


def _read(url: str) -> RedisAddress:
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "unix":
        return _socket_address(rest)
    kind = scheme.removesuffix(SENTINEL)
    if not separator or kind not in {"redis", "rediss"}:
        raise UrlPartInvalid("it begins with none of redis://, rediss://, redis+sentinel:// and unix://")
    parts = split_url(rest)
    has_sentinels = kind != scheme
    tls_words, sentinel_words = TLS_WORDS if kind == "rediss" else (), SENTINEL_LOGIN_WORDS if has_sentinels else ()
    words = _checked(parts.words, ("db", "client_name", *LOGIN_WORDS, *tls_words, *sentinel_words))
    tls = _tls_options(words) if kind == "rediss" else {}
    options = {**_login_options(parts.user, parts.password, words), **tls, **_named(words, "client_name")}
    if has_sentinels:
        return _sentinel_address(parts, words, options, tls)
    if "," in parts.hosts:
        raise UrlPartInvalid("several hosts need redis+sentinel:// in place of redis://")
    host, port = read_host(parts.hosts or "localhost", str(REDIS_PORT))
    options |= {"host": host, "port": port, "db": _database(words.get("db") or parts.path)}
    return RedisAddress(options, is_encrypted=bool(tls))


def _socket_address(rest: str) -> RedisAddress:
    rest, _, query = rest.partition("?")
    words = _checked(read_words(query), ("db", *LOGIN_WORDS))
    login, _, path = rest.rpartition("@") if not rest.startswith("/") else ("", "", rest)
    if not path:
        raise UrlPartInvalid("the path of the socket is missing")
    user, _, password = map(unquote, login.partition(":"))
    options = {**_login_options(user, password, words), "db": _database(words.get("db", ""))}
    return RedisAddress(options, socket=unquote(path))


def _sentinel_address(
    parts: UrlParts, words: Mapping[str, str], options: dict[str, object], tls: Mapping[str, object]
) -> RedisAddress:
    service, _, number = parts.path.partition("/")
    login = {word.removeprefix("sentinel_"): words[word] for word in SENTINEL_LOGIN_WORDS if word in words}
    return RedisAddress(
        {**options, "db": _database(words.get("db") or number)},
        is_encrypted=bool(tls),
        sentinels=tuple(read_host(host, str(SENTINEL_PORT)) for host in parts.hosts.split(",")),
        service=unquote(service) or SERVICE,
        sentinel_options={**login, **tls},
    )


def _checked(words: Mapping[str, str], known: tuple[str, ...]) -> dict[str, str]:
    checked = {**words}
    if requirement := words.get("ssl_cert_reqs"):
        checked["ssl_cert_reqs"] = requirement.lower().removeprefix("cert_")  # as Python's ssl and Celery write it
    check_words(checked, known, CHOICES)
    return checked


def _login_options(user: str, password: str, words: Mapping[str, str]) -> dict[str, object]:
    found = {"username": user, "password": password, **_named(words, *LOGIN_WORDS)}
    return {name: value for name, value in found.items() if value}


def _named(words: Mapping[str, str], *names: str) -> dict[str, object]:
    return {name: words[name] for name in names if name in words}


def _tls_options(words: Mapping[str, str]) -> dict[str, object]:
    """Return the arguments of TLS; the host's name is checked unless that is refused, which redis-py does not do."""
    for word in FILE_WORDS:
        if word in words:
            with reading_file(word, words[word]):
                Path(words[word]).open("rb").close()
    requirement = words.get("ssl_cert_reqs", "required")
    checks_name = requirement != "none" and words.get("ssl_check_hostname") != "false"
    return {**_named(words, *FILE_WORDS), "ssl_cert_reqs": requirement, "ssl_check_hostname": checks_name}


def _database(text: str) -> int:
    text = text.strip("/")
    if not text:
        return 0
    if not is_number(text):
        raise UrlPartInvalid(f"the database {text} is not a number")
    return int(text)
