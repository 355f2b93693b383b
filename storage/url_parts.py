"""Reads what the URLs of databases and of Redis have in common, also with several hosts. Opens no connection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from urllib.parse import unquote

LAST_PORT = 65535


class UrlPartInvalid(ValueError):
    """A part of a URL is not understood; the text names it, and no password."""


@dataclass(frozen=True)
class UrlParts:
    """The parts of a URL after its scheme, decoded but for `hosts` and `path`; what is missing is empty.

    Attributes:
        hosts: Hosts with their ports, separated by commas.
        path: What follows the first slash.
        words: What follows the question mark.
    """

    user: str
    password: str = field(repr=False)
    hosts: str
    path: str
    words: dict[str, str] = field(repr=False)


def split_url(rest: str) -> UrlParts:
    """Split a URL without its scheme: user:password@host:port,host/path?word=value.

    Raises:
        UrlPartInvalid: The password is not encoded.
    """
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    login, has_login, hosts = place.rpartition("@")
    if not has_login and "@" in path + query.partition("=")[0]:
        raise UrlPartInvalid("a password has %2F in place of / and %3F in place of ?")
    user, _, password = map(unquote, login.partition(":"))
    return UrlParts(user, password, hosts, path, read_words(query))


def read_words(query: str) -> dict[str, str]:
    """Return the words after the question mark with their values."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(word): unquote(value) for word, _, value in pairs}


def check_words(words: Mapping[str, str], known: Sequence[str], choices: Mapping[str, Sequence[str]]) -> None:
    """Check that all words are known, and that those of `choices` have one of its values.

    Raises:
        UrlPartInvalid: A word or a value is not.
    """
    for word, value in words.items():
        if word not in known:
            near = get_close_matches(word, known, n=1)
            raise UrlPartInvalid(f"there is no {word} here" + (f"; did you mean {near[0]}?" if near else ""))
        if word in choices and value not in choices[word]:
            raise UrlPartInvalid(f"{word} is one of {', '.join(choices[word])}, and not {value}")


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number without a sign."""
    return text.isascii() and text.isdecimal()


def read_host(text: str, port: str) -> tuple[str, int]:
    """Read a host, an IPv6 address in brackets, or the folder of a socket; `port` counts if it names none.

    Raises:
        UrlPartInvalid: The host has no name, or its port is none.
    """
    if text.startswith("["):
        name, _, own_port = text[1:].partition("]")
        own_port = own_port.removeprefix(":")
    elif text.startswith("/"):
        name, own_port = text, ""
    else:
        name, _, own_port = text.partition(":")
    port = own_port or port
    if not name:
        raise UrlPartInvalid("a host has no name")
    if not (is_number(port) and 0 < int(port) <= LAST_PORT):
        raise UrlPartInvalid(f"the port of the host {name} is not a number from 1 to {LAST_PORT}")
    return unquote(name), int(port)


@contextmanager
def reading_file(word: str, path: str) -> Iterator[None]:
    """Convert the errors of reading the file that a word names.

    Raises:
        UrlPartInvalid: It cannot be read.
    """
    try:
        yield
    except OSError as error:  # TLS errors are among them
        raise UrlPartInvalid(f"the file {path} of {word} cannot be read ({error.strerror})") from None
