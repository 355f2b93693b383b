"""Reads `redis.url` as providers write it, also with sentinels. Opens no connection."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jobs.errors import RedisUrlInvalid

REDIS_PORT = 6379
SENTINEL_PORT = 26379
LAST_PORT = 65535
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
    scheme, separator, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    if separator and scheme == "unix":
        return _socket_address(rest, _words(query, ("db", *LOGIN_WORDS)))
    kind = scheme.removesuffix(SENTINEL)
    if not separator or kind not in {"redis", "rediss"}:
        raise RedisUrlInvalid(reason="it begins with none of redis://, rediss://, redis+sentinel:// and unix://")
    place, _, path = rest.partition("/")
    login, has_login, hosts = place.rpartition("@")
    if not has_login and "@" in path + query.partition("=")[0]:
        raise RedisUrlInvalid(reason="a password has %2F in place of / and %3F in place of ?")
    known = ("db", "client_name", *LOGIN_WORDS, *(TLS_WORDS if kind == "rediss" else ()))
    words = _words(query, (*known, *SENTINEL_LOGIN_WORDS) if kind != scheme else known)
    tls = _tls_options(words) if kind == "rediss" else {}
    options = {**_login_options(login, words), **tls, **_named(words, "client_name")}
    if kind != scheme:
        return _sentinel_address(hosts, path, words, {**options}, tls)
    if "," in hosts:
        raise RedisUrlInvalid(reason="several hosts need redis+sentinel:// in place of redis://")
    ((host, port),) = _hosts(hosts or "localhost", REDIS_PORT)
    options |= {"host": host, "port": port, "db": _database(words.get("db") or path)}
    return RedisAddress(options, is_encrypted=bool(tls))


def _socket_address(rest: str, words: Mapping[str, str]) -> RedisAddress:
    login, _, path = rest.rpartition("@") if not rest.startswith("/") else ("", "", rest)
    if not path:
        raise RedisUrlInvalid(reason="the path of the socket is missing")
    options = {**_login_options(login, words), "db": _database(words.get("db", ""))}
    return RedisAddress(options, socket=unquote(path))


def _sentinel_address(
    hosts: str, path: str, words: Mapping[str, str], options: dict[str, object], tls: Mapping[str, object]
) -> RedisAddress:
    service, _, number = path.partition("/")
    login = {word.removeprefix("sentinel_"): words[word] for word in SENTINEL_LOGIN_WORDS if word in words}
    return RedisAddress(
        {**options, "db": _database(words.get("db") or number)},
        is_encrypted=bool(tls),
        sentinels=_hosts(hosts, SENTINEL_PORT),
        service=unquote(service) or SERVICE,
        sentinel_options={**login, **tls},
    )


def _words(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return the words after the question mark, all of them known."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    words = {unquote(word): unquote(value) for word, _, value in pairs}
    if requirement := words.get("ssl_cert_reqs"):
        words["ssl_cert_reqs"] = requirement.lower().removeprefix("cert_")  # as Python's ssl and Celery write it
    for word, value in words.items():
        if word not in known:
            near = get_close_matches(word, known, n=1)
            raise RedisUrlInvalid(reason=f"there is no {word} here" + (f"; did you mean {near[0]}?" if near else ""))
        if word in CHOICES and value not in CHOICES[word]:
            raise RedisUrlInvalid(reason=f"{word} is one of {', '.join(CHOICES[word])}, and not {value}")
    return words


def _login_options(login: str, words: Mapping[str, str]) -> dict[str, object]:
    user, _, password = map(unquote, login.partition(":"))
    found = {"username": user, "password": password, **_named(words, *LOGIN_WORDS)}
    return {name: value for name, value in found.items() if value}


def _named(words: Mapping[str, str], *names: str) -> dict[str, object]:
    return {name: words[name] for name in names if name in words}


def _tls_options(words: Mapping[str, str]) -> dict[str, object]:
    """Return the arguments of TLS; the host's name is checked unless that is refused, which redis-py does not do."""
    for word in FILE_WORDS:
        if word in words:
            with _reading(word, words[word]):
                Path(words[word]).open("rb").close()
    requirement = words.get("ssl_cert_reqs", "required")
    checks_name = requirement != "none" and words.get("ssl_check_hostname") != "false"
    return {**_named(words, *FILE_WORDS), "ssl_cert_reqs": requirement, "ssl_check_hostname": checks_name}


@contextmanager
def _reading(word: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RedisUrlInvalid(reason=f"the file {path} of {word} cannot be read ({error.strerror})") from None


def _database(text: str) -> int:
    text = text.strip("/")
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()):
        raise RedisUrlInvalid(reason=f"the database {text} is not a number")
    return int(text)


def _hosts(text: str, default_port: int) -> tuple[tuple[str, int], ...]:
    return tuple(_host(host, default_port) for host in text.split(","))


def _host(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):  # an IPv6 address
        name, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, _, port = text.partition(":")
    if not name:
        raise RedisUrlInvalid(reason="a host has no name")
    port = port or str(default_port)
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= LAST_PORT):
        raise RedisUrlInvalid(reason=f"the port of the host {name} is not a number from 1 to {LAST_PORT}")
    return unquote(name), int(port)
