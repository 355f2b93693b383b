"""Checks the arguments of `earshot transcribe` before a model is loaded: languages, hotwords, files, output folder."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import click

from bot.config.request_defaults import default_request
from engine import (
    AUTO_LANGUAGE,
    AudioFault,
    EngineSettings,
    HotwordsUnreadable,
    LanguageSettingNotSelectable,
    Request,
    UnknownLanguageSetting,
    check_languages,
    check_readable,
)

KNOWS_OTHERS = "{model} does not know the language {language!r}; it knows {known}"
TELLS_NONE = "{model} does not tell which languages it knows, so {language!r} cannot be asked for"
STANDARD_INPUT = "standard input is not read; name a file"


def apply_languages(settings: EngineSettings, asked: tuple[str, ...]) -> EngineSettings:
    """Set the languages from the command line, if any, and check that the model knows them.

    Raises:
        click.BadParameter: It does not.
        UnknownLanguageSetting: It does not know those of the settings.
    """
    chosen = settings.model_copy(update=language_settings(asked))
    try:
        check_languages(chosen)
    except UnknownLanguageSetting as wrong:
        if wrong.params["language"] not in asked:
            raise
        sentence = TELLS_NONE if isinstance(wrong, LanguageSettingNotSelectable) else KNOWS_OTHERS
        raise click.BadParameter(sentence.format(**wrong.params), param_hint="'--language'") from None
    return chosen


def language_settings(asked: tuple[str, ...]) -> dict[str, object]:
    """Return the settings that select these languages."""
    match asked:
        case ():
            return {}
        case _ if AUTO_LANGUAGE in asked:
            return {"language": AUTO_LANGUAGE}
        case (only,):
            return {"language": only, "languages": ()}
        case _:
            return {"language": AUTO_LANGUAGE, "languages": asked}


def build_request(settings: EngineSettings, hotwords: Path | None) -> Request:
    """Build the request from the settings; `hotwords` is the file from the command line, if any.

    Raises:
        click.BadParameter: That file cannot be used.
        HotwordsUnreadable: The one from the settings cannot be used.
    """
    try:
        return default_request(settings)
    except HotwordsUnreadable as wrong:
        if hotwords is None:
            raise
        raise click.BadParameter(f"{hotwords}: {wrong.params['reason']}", param_hint="'--hotwords'") from None


def readable_files(files: Sequence[Path]) -> list[Path]:
    """Return the files that hold audio, and warn about the others."""
    readable = []
    for file in files:
        if reason := reason_unreadable(file):
            warn(file, reason)
        else:
            readable.append(file)
    return readable


def reason_unreadable(file: Path) -> str:
    """Return why a file cannot be read; "" if it can."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return STANDARD_INPUT if str(file) == "-" else "there is no such file"
    except OSError as error:
        return error.strerror or str(error)
    if stat.S_ISDIR(mode):
        return "this is a folder; name the files in it"
    if not stat.S_ISREG(mode):
        return "this is no file but a pipe or a device; name a file"
    return reason_undecodable(file) if os.access(file, os.R_OK) else "you may not read it"


def reason_undecodable(file: Path) -> str:
    """Return why a file's content is no audio; "" if it is."""
    try:
        check_readable(file)
    except AudioFault as fault:
        return str(fault)
    except OSError:  # trouble of this machine's, which is told where the file is read
        return ""
    return ""


def make_folder(out: Path) -> None:
    """Create the output folder.

    Raises:
        click.BadParameter: It cannot be created or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{out}: {error.strerror or error}", param_hint="'--out'") from None
    if not os.access(out, os.W_OK):
        raise click.BadParameter(f"{out} cannot be written to", param_hint="'--out'")


def warn(file: Path, reason: str) -> None:
    """Print a warning about a file on stderr."""
    click.echo(f"earshot: {file}: {reason}", err=True)
