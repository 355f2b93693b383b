"""What is logged, seen from outside: a process that logs."""

import json
import multiprocessing
import os
import sys
from pathlib import Path

import pytest

SECRET = "4242424242:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # noqa: S105 - a made-up one
HIDDEN = {"EARSHOT_TELEGRAM__WEBHOOK_SECRET": "own-secret", "EARSHOT_REDIS__URL": "redis://:pass-word@host"}
SHORT = {"EARSHOT_TELEGRAM__TOKEN": "42:playground"}
SCRIPT = """
import logging, warnings, structlog
from bot.config.log import configure_logging
from bot.config.settings import Settings
configure_logging(Settings(), "worker-1")
"""


def logged(lines: str, tmp_path: Path, **variables: str) -> str:
    """Run `lines` after the log is set up, in a forked process, and give what came out on stderr."""
    (tmp_path / "settings.toml").touch()
    out, err = tmp_path / "stdout", tmp_path / "stderr"
    process = multiprocessing.get_context("fork").Process(
        target=_log, args=(lines, {"EARSHOT_CONFIG": str(tmp_path / "settings.toml"), **variables}, out, err)
    )
    process.start()
    process.join()
    assert (process.exitcode, out.read_text()) == (0, ""), err.read_text()
    return err.read_text()


def _log(lines: str, variables: dict[str, str], out: Path, err: Path) -> None:
    os.environ.update(variables)
    with out.open("w") as sys.stdout, err.open("w") as sys.stderr:
        exec(SCRIPT + lines, {"__name__": "__main__"})  # noqa: S102 - the lines are this file's own


def test_a_line_for_journald_has_keys_and_values(tmp_path: Path) -> None:
    said = logged("structlog.get_logger('jobs.worker').info('note_done', job='1a', audio_s=3.5)", tmp_path)
    assert "level=info role=worker-1 event=note_done" in said
    assert "job=1a audio_s=3.5" in said
    assert said.count("\n") == 1


def test_a_logger_without_a_name_is_that_of_its_room(tmp_path: Path) -> None:
    said = logged(
        "exec(compile('import structlog; structlog.get_logger().info(1)', 'x', 'exec'), {'__name__': 'jobs.x'})",
        tmp_path,
    )
    assert "logger=jobs.x" in said


def test_the_level_holds_for_our_own_lines(tmp_path: Path) -> None:
    lines = "for say in ('debug', 'info', 'error'): getattr(structlog.get_logger('bot.x'), say)(say)"
    assert "event=info" in logged(lines, tmp_path)
    assert "event=debug" not in logged(lines, tmp_path)
    assert "event=debug" in logged(lines, tmp_path, EARSHOT_LOG__LEVEL="debug")
    assert "event=info" not in logged(lines, tmp_path, EARSHOT_LOG__LEVEL="error")


def test_libraries_are_heard_from_warnings_on(tmp_path: Path) -> None:
    said = logged(
        "logging.getLogger('aiogram').info('chatter'); logging.getLogger('aiogram').warning('matter')", tmp_path
    )
    assert "chatter" not in said
    assert "level=warning role=worker-1 event=matter logger=aiogram" in said


def test_no_secret_gets_through_in_text_values_or_tracebacks(tmp_path: Path) -> None:
    lines = f"""
log = structlog.get_logger("bot.x")
log.info("url", url="https://api.telegram.org/bot{SECRET}/getMe")
logging.getLogger("aiogram").warning("failed: %s", "{SECRET}")
try:
    raise ValueError("redis://:pass-word@host and own-secret")
except ValueError:
    log.exception("bad")
"""
    said = logged(lines, tmp_path, **HIDDEN)
    assert said.count("***") >= 4
    assert "AAAA" not in said
    assert "pass-word" not in said
    assert "own-secret" not in said


def test_a_token_of_any_shape_is_hidden(tmp_path: Path) -> None:
    said = logged("structlog.get_logger('bot.x').info('42:playground')", tmp_path, **SHORT)
    assert "42:playground" not in said


def test_a_file_gets_json_lines_that_only_the_owner_reads(tmp_path: Path) -> None:
    lines = "structlog.get_logger('bot.x').info('up', n=1); logging.getLogger('arq').warning('slow')"
    logged(lines, tmp_path, EARSHOT_LOG__FILE=str(tmp_path / "logs" / "earshot.log"))
    file = tmp_path / "logs" / "earshot-worker-1.log"
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["event"], first["n"], first["level"], first["role"]) == ("up", 1, "info", "worker-1")
    assert (second["event"], second["logger"]) == ("slow", "arq")
    assert file.stat().st_mode & 0o777 == 0o600


def test_older_files_are_as_private_as_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "earshot-worker-1.log").write_text("of an earlier version\n")
    (folder / "earshot-worker-1.log.9").write_text("older still\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    lines = "logging.getLogger().handlers[1].doRollover(); structlog.get_logger('bot.x').info('up')"
    logged(lines, tmp_path, EARSHOT_LOG__FILE=str(folder / "earshot.log"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == dict.fromkeys(("earshot-worker-1.log", "earshot-worker-1.log.1", "earshot-worker-1.log.9"), 0o600)


def test_the_secret_of_the_store_of_artefacts_is_hidden(tmp_path: Path) -> None:
    url = "https://key:a%2Fsecret@host/bucket"
    lines = "structlog.get_logger('bot.x').info('up', word='a/secret', written='a%2Fsecret')"
    said = logged(lines, tmp_path, EARSHOT_ARTEFACTS__URL=url)
    assert "word=*** written=***" in said


@pytest.mark.parametrize("url", ["redis://:pa[ss@host", "redis://me:pa[s@s@host:6379/0"])
def test_the_password_of_an_address_that_cannot_be_read_is_hidden_too(tmp_path: Path, url: str) -> None:
    password = url.removeprefix("redis://").partition(":")[2].rpartition("@")[0]
    lines = f"structlog.get_logger('bot.x').info('up', word={password!r})"
    said = logged(lines, tmp_path, EARSHOT_REDIS__URL=url)
    assert "word=***" in said
    assert password not in said


def test_the_password_is_hidden_although_an_at_sign_follows_it_in_the_query(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://user:pass-word@host/db?application_name=a@b"
    said = logged("structlog.get_logger('bot.x').info('up', word='pass-word')", tmp_path, EARSHOT_DATABASE__URL=url)
    assert "word=***" in said
