"""Reads `database.url` as providers and libpq write it. Opens no connection."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

from sqlalchemy.engine import URL

from storage.errors import DatabaseUrlInvalid
from storage.url_parts import UrlPartInvalid, check_words, is_number, read_host, reading_file, split_url

CONNECT_TIMEOUT_S = 10.0
POSTGRESQL_PORT = 5432
SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})
POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
APPLICATION_NAME = "earshot"
USER_CERTIFICATES = Path("~/.postgresql/root.crt")  # where PostgreSQL's own programs look
SYSTEM_CERTIFICATES = "system"
CHECKED = ("verify-ca", "verify-full")
WITH_TLS = ("require", *CHECKED)
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "primary", "read-write"),
}
TLS_WORDS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "channel_binding")
NUMBERS = ("connect_timeout", "prepared_statement_cache_size")
SERVER_WORDS = ("application_name", "options")
LOGIN_WORDS = ("host", "port", "user", "password", "dbname")
WORDS = (*TLS_WORDS, *NUMBERS, *SERVER_WORDS, *LOGIN_WORDS, "target_session_attrs")


@dataclass(frozen=True)
class DatabaseAddress:
    """Where the database is.

    Attributes:
        url: The URL for SQLAlchemy, with the login.
        where: What messages call the database; without a password.
        hosts: PostgreSQL's hosts with their ports, tried in this order; none for SQLite or where the system decides.
        options: Further arguments of PostgreSQL's driver.
    """

    url: URL
    where: str
    hosts: tuple[tuple[str, int], ...] = ()
    options: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"


def read_database_url(url: str, data_dir: Path) -> DatabaseAddress:
    """Read `url`, or return the address of SQLite in `data_dir` if it is empty.

    Raises:
        DatabaseUrlInvalid: It is not understood; the reason names the word, and no password.
    """
    if not url:
        return _sqlite_address(str(data_dir / "earshot.db"))
    try:
        return _read(url)
    except UrlPartInvalid as error:
        raise DatabaseUrlInvalid(reason=str(error)) from None


def _read(url: str) -> DatabaseAddress:
    scheme, separator, rest = url.partition("://")
    if separator and scheme in SQLITE:
        return _sqlite_address(_sqlite_path(rest))
    if separator and scheme in POSTGRESQL:
        return _postgresql_address(rest)
    raise UrlPartInvalid("it begins with neither postgresql:// nor sqlite:///")


def _sqlite_address(path: str) -> DatabaseAddress:
    return DatabaseAddress(URL.create("sqlite+aiosqlite", database=path), where=path)


def _sqlite_path(rest: str) -> str:
    path, _, query = rest.partition("?")
    if query:
        raise UrlPartInvalid(f"SQLite takes no {query.partition('=')[0]}")
    if not path.startswith("/") or len(path) == 1:
        raise UrlPartInvalid("the path of the SQLite file is missing")
    return path[1:]


def _postgresql_address(rest: str) -> DatabaseAddress:
    parts = split_url(rest)
    words = _checked(parts.words)
    user, password = parts.user or words.get("user", ""), parts.password or words.get("password", "")
    name = unquote(parts.path) or words.get("dbname", "")
    if not name:
        raise UrlPartInvalid("the name of the database is missing")
    hosts = _hosts(parts.hosts or words.get("host", ""), words.get("port", ""))
    return DatabaseAddress(
        URL.create("postgresql+asyncpg", username=user or None, password=password or None, database=name),
        where=_where(user, hosts, name),
        hosts=hosts,
        options=_driver_options(words, has_several_hosts=len(hosts) > 1),
    )


def _checked(words: Mapping[str, str]) -> dict[str, str]:
    # "ssl" is what the driver calls it.
    checked = {"sslmode" if word == "ssl" else word: value for word, value in words.items()}
    check_words(checked, WORDS, CHOICES)
    for word in NUMBERS:
        if not is_number(checked.get(word, "0")):
            raise UrlPartInvalid(f"{word} is a number, and not {checked[word]}")
    return checked


def _hosts(hosts: str, ports: str) -> tuple[tuple[str, int], ...]:
    """Read "a,b:5433" and "5432,5433"; a single port counts for every host that names none."""
    names = hosts.split(",") if hosts else ["localhost"] if ports else []
    told = ports.split(",") if ports else [str(POSTGRESQL_PORT)]
    if len(told) == 1:
        told *= len(names)
    if len(told) != len(names):
        raise UrlPartInvalid("port names more or fewer ports than there are hosts")
    return tuple(map(read_host, names, told))


def _where(user: str, hosts: tuple[tuple[str, int], ...], name: str) -> str:
    where = ",".join(host if port == POSTGRESQL_PORT else f"{host}:{port}" for host, port in hosts)
    return f"postgresql://{user}{'@' if user else ''}{where}/{name}"


def _driver_options(words: Mapping[str, str], *, has_several_hosts: bool) -> dict[str, object]:
    server = {"application_name": APPLICATION_NAME, **{word: words[word] for word in SERVER_WORDS if word in words}}
    options: dict[str, object] = {
        "timeout": float(words.get("connect_timeout", 0)) or CONNECT_TIMEOUT_S,
        "server_settings": server,
    }
    if (target := words.get("target_session_attrs")) or has_several_hosts:
        options["target_session_attrs"] = target or "read-write"  # of several hosts only one may be written to
    if words.get("prepared_statement_cache_size") == "0":  # behind a pooler that shares sessions between transactions
        options |= {"prepared_statement_cache_size": 0, "statement_cache_size": 0}
        options["prepared_statement_name_func"] = lambda: f"__earshot_{uuid4()}__"
    if (tls := _tls(words)) is not None:
        options["ssl"] = tls
    return options


def _tls(words: Mapping[str, str]) -> str | ssl.SSLContext | None:
    """Return the driver's argument `ssl`; None leaves the choice to the driver, which prefers TLS.

    The driver cannot bind a login to the TLS channel. What `channel_binding=require` protects against, somebody in the
    middle, a check of the server's certificate protects against too; so that is demanded in its place.
    """
    must_bind = words.get("channel_binding") == "require"
    mode = words.get("sslmode") or ("verify-full" if must_bind or "sslrootcert" in words else None)
    if mode not in WITH_TLS:
        if must_bind:
            raise UrlPartInvalid(f"channel_binding=require needs TLS, which sslmode={mode} does not demand")
        return mode
    root = words.get("sslrootcert") or _user_certificates()
    if root == SYSTEM_CERTIFICATES:
        mode, root = "verify-full", ""
    with reading_file("sslrootcert", root):
        context = ssl.create_default_context(cafile=root or None)
    is_checked = bool(root) or must_bind or mode in CHECKED
    context.check_hostname = mode == "verify-full" or (is_checked and not root)
    context.verify_mode = ssl.CERT_REQUIRED if is_checked else ssl.CERT_NONE
    if certificate := words.get("sslcert"):
        with reading_file("sslcert", certificate):
            context.load_cert_chain(certificate, words.get("sslkey"), words.get("sslpassword", ""))
    return context


def _user_certificates() -> str:
    path = USER_CERTIFICATES.expanduser()
    return str(path) if path.exists() else ""
