"""What README.md claims, compared with the program."""

import re
import subprocess
import sys

import click

from bot.__main__ import COMMANDS, earshot
from bot.config.settings import PROJECT
from engine.hub.catalogue import CATALOGUE

README = (PROJECT / "README.md").read_text()


def test_the_tree_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / ".ci" / "tree.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_named_with_its_options() -> None:
    section = README.partition("## Commands")[2].partition("\n## ")[0]
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


def test_the_models_are_those_of_the_catalogue() -> None:
    section = README.partition("| model | for |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == set(CATALOGUE) - {"fake"}


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|[`$'] ?)make ([a-z-]+)", README, re.MULTILINE)) <= targets
