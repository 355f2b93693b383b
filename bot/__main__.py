"""The program `earshot`: runs one command, and turns exceptions into one line on stderr and an exit code.

Each command is a file of `bot/cli/` and is imported only when it runs.
"""

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from textwrap import shorten
from typing import NoReturn

import click

from bot.process.fast_import import garbage_collection_paused
from engine import Fault

COMMANDS = {
    "run": "Run everything on this machine: Redis, workers and the bot.",
    "bot": "Run only the bot, which talks to Telegram.",
    "worker": "Run only a worker, which turns voice notes into text.",
    "demo": "Try it all without a token.",
    "transcribe": "Turn files into text, without Telegram.",
    "models": "List the speech models, or fetch one.",
    "queue": "Show what waits and what runs.",
    "history": "Show the newest voice notes.",
    "migrate": "Bring the database up to date after an update.",
    "bench": "Measure speed and accuracy.",
    "doctor": "Check whether everything is in place.",
}
FAILED = 1
INTERRUPTED = 130
LONGEST_REASON = 300


class Commands(click.Group):
    """A click group that imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command and return it; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        with garbage_collection_paused():
            found: click.Command = import_module(f"bot.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands on the help page."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, name="earshot")
@click.version_option(package_name="earshot", prog_name="earshot")
def earshot() -> None:
    """Turn voice into text in Telegram, on your own machine."""


def main() -> NoReturn:
    """Run the program, then end the process without waiting for its threads.

    Python's own shutdown aborts the process when a daemon thread returns from a network call during it.
    """
    code = run_program(sys.argv[1:])
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def run_program(arguments: list[str]) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        code = earshot.main(arguments, prog_name="earshot", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except (click.ClickException, Fault) as error:
        return print_error(str(error))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains about it when it ends
        return FAILED
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a line and not a traceback
        return print_error(describe_unexpected(error))
    return code if isinstance(code, int) else 0


def print_error(sentence: str) -> int:
    """Print on stderr why the command failed; return the exit code of a failure."""
    click.echo(f"earshot: {sentence}", err=True)
    return FAILED


def describe_unexpected(error: Exception) -> str:
    """Describe an unexpected exception in one line, or by its traceback at log level debug."""
    if os.environ.get("EARSHOT_LOG__LEVEL", "").lower() == "debug":
        return "".join(traceback.format_exception(error))
    reason = shorten(f"{type(error).__name__}: {error}", LONGEST_REASON, placeholder=" …")
    return f"{reason} (this should not happen; EARSHOT_LOG__LEVEL=debug shows where it comes from)"


if __name__ == "__main__":
    main()
