"""What README.md and docs/ claim, compared with the program."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from babel import Locale

from bot.__main__ import COMMANDS, earshot
from bot.config.loading import environment_name, setting_names
from bot.config.settings import PROJECT, Settings
from bot.telegram.command_menu import ADMIN_COMMANDS, COMMANDS as CHAT_COMMANDS
from engine.hub.catalogue import CATALOGUE, FAKE_MODEL, languages_of
from engine.settings import EngineSettings

DOCS = PROJECT / "docs"
README = (PROJECT / "README.md").read_text()
PAGES = (PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", *sorted(DOCS.rglob("*.md")))
FOR_USERS = (PROJECT / "README.md", *sorted(DOCS.glob("*.md")))
MODELS = set(CATALOGUE) - {FAKE_MODEL}
NAMES_OF_LANGUAGES = Locale("en").languages

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
every_page_for_users = pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: str(page.relative_to(PROJECT)))


def row_of(model: str) -> str:
    return next(line for line in README.splitlines() if line.startswith(f"| `{model}`"))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@every_page
def test_every_link_leads_to_something_that_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text()) + re.findall(r'src="([^"]+)"', page.read_text())
    for link in links:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link:
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page != DOCS / "README.md"]
    assert [page for page in pages if f"]({page})" not in index] == []


@every_page_for_users
def test_every_setting_that_is_named_exists(page: Path) -> None:
    text, tables = page.read_text(), tomllib.loads((PROJECT / "settings.toml").read_text())
    named = re.findall(rf"`((?:{'|'.join(tables)})\.[a-z_]+)[` ]", text)
    assert set(named) <= set(setting_names())
    variables = {environment_name(name) for name in (*setting_names(), *Settings.model_fields)} | {"EARSHOT_CONFIG"}
    assert set(re.findall(r"EARSHOT_[A-Z_]+", text)) <= variables


@every_page_for_users
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|[`$'] ?|&& )make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", [PROJECT / "README.md", DOCS / "models.md"], ids=["README.md", "models.md"])
def test_the_models_are_those_of_the_catalogue(page: Path) -> None:
    table = page.read_text().partition(" | reads |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == MODELS


def test_the_languages_of_the_default_model_are_told_at_once() -> None:
    default = EngineSettings().model
    told = row_of(default).split("|")[2].strip()
    assert row_of(default).startswith(f"| `{default}` (default) |")
    assert told == ", ".join(str(NAMES_OF_LANGUAGES[code]) for code in languages_of(default))


def test_the_other_languages_are_among_those_of_the_model_that_is_named_for_them() -> None:
    named, _, number = row_of("whisper-turbo").split("|")[2].strip().partition(" …: ")
    known = languages_of("whisper-turbo")
    assert set(named.split(", ")) <= {NAMES_OF_LANGUAGES.get(code) for code in known}
    assert number == str(len(known))


def test_the_codes_of_whispers_languages_are_all_listed() -> None:
    section = (DOCS / "models.md").read_text().partition("The languages of Whisper")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([a-z]+)`", section)) == sorted(languages_of("whisper-turbo"))


def test_every_command_is_named_with_its_options() -> None:
    section = (DOCS / "commands.md").read_text().partition("## On the machine")[2]
    context = click.Context(earshot)
    for name in COMMANDS:
        assert f"`earshot {name}" in section
        command = earshot.get_command(context, name)
        assert command is not None
        options = [
            option.opts[0] for option in command.params if isinstance(option, click.Option) and not option.hidden
        ]
        rows = "".join(line for line in section.splitlines() if f"`earshot {name}" in line)
        assert [option for option in options if option not in rows and (name, option) != ("worker", "--name")] == []


def test_every_command_of_the_chat_is_named() -> None:
    section = (DOCS / "commands.md").read_text().partition("## In the chat")[2].partition("\n## ")[0]
    assert {name for name in (*CHAT_COMMANDS, *ADMIN_COMMANDS) if f"`/{name}`" not in section} == set()
