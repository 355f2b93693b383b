"""Sets up the log: to stderr and, when set, to a rotating file of JSON lines, with secrets redacted."""

import glob
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import structlog
from structlog.typing import Processor

from bot.config.settings import Settings

OUR_LOGGERS = ("bot", "jobs", "storage", "engine")
TOKEN = re.compile(r"\d{5,}:[A-Za-z0-9_-]{30,}")
PASSWORDS = tuple(map(re.compile, (r"://[^:/@]*:([^/?]*)@", r"://[^:/@]*:([^@]*)@", r"[?&]\w*password=([^&]*)")))
FILE_BYTES = 10_000_000
OLD_FILES = 9
HIDDEN = "***"
PRIVATE = 0o600


def configure_logging(settings: Settings, role: str) -> None:
    """Route our own and the libraries' log lines through the same handlers; each line has `role`."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_role(role),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    root = logging.getLogger()
    root.handlers[:] = make_handlers(settings, role, before)
    root.setLevel(logging.WARNING)
    for room in OUR_LOGGERS:
        logging.getLogger(room).setLevel(settings.log.level.upper())
    logging.captureWarnings(capture=True)


def make_handlers(settings: Settings, role: str, before: list[Processor]) -> list[logging.Handler]:
    """Make the handler of stderr and, when a file is set, that of the file."""
    hide = redactor(secret_values(settings))
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(RedactingFormatter(hide, before, renderers()))
    if settings.log.file is None:
        return [to_stderr]
    to_file = open_log_file(settings.log.file.with_stem(f"{settings.log.file.stem}-{role}"))
    lines: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    to_file.setFormatter(RedactingFormatter(hide, before, lines))
    return [to_stderr, to_file]


def renderers() -> list[Processor]:
    """Choose the format of stderr: columns on a terminal, key=value elsewhere."""
    if sys.stderr.isatty() or os.environ.get("FORCE_COLOR"):
        return [structlog.dev.ConsoleRenderer()]
    order = ("timestamp", "level", "role", "event")
    return [
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False),
    ]


class PrivateRotatingFile(RotatingFileHandler):
    """A rotating log file that only its owner may read, and so may each that follows it."""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.touch(PRIVATE)
        path.chmod(PRIVATE)  # it may be there already, from when it was not private
        return super()._open()


def open_log_file(path: Path) -> RotatingFileHandler:
    """Open a rotating log file. Each process needs its own, as rotation renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for older in path.parent.glob(f"{glob.escape(path.name)}.*"):
        older.chmod(PRIVATE)
    return PrivateRotatingFile(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")


def add_role(role: str) -> Processor:
    """Make a structlog processor that adds the process's role."""

    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("role", role)
        return event

    return add


def secret_values(settings: Settings) -> list[str]:
    """Return what no log line may show: tokens, and the passwords in URLs."""
    values = [settings.telegram.token.get_secret_value(), settings.telegram.webhook_secret.get_secret_value()]
    for url in (settings.redis.url, settings.database.url, settings.artefacts.url):
        values += passwords_in(url)
    return [value for value in values if value]


def passwords_in(url: str) -> set[str]:
    """Return the passwords in a URL as written and decoded, also in one that is not valid."""
    written = {found for pattern in PASSWORDS for found in pattern.findall(url)}
    return written | set(map(unquote, written))


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that replaces `secrets`, and whatever looks like a bot token, in a text."""
    literal = map(re.escape, sorted(secrets, key=len, reverse=True))
    return partial(re.compile("|".join((*literal, TOKEN.pattern))).sub, HIDDEN)


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats a log record, ours or a library's, and redacts secrets in all of it, tracebacks too."""

    def __init__(self, hide: Callable[[str], str], before: list[Processor], renderers: list[Processor]) -> None:
        """Format with `renderers`; `before` completes the records of libraries."""
        processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers]
        super().__init__(processors=processors, foreign_pre_chain=before)
        self.hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted and redacted line."""
        return self.hide(super().format(record))
