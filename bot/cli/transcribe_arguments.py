"""What `earshot transcribe` is asked for, checked before a model is loaded: languages, hotwords, files, a folder."""

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
    """Set the languages that the command line asks for, if any, and see that the model knows them.

    Raises:
        click.BadParameter: it does not.
        LanguageSettingWrong: it does not know what the settings say.
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
    """Give the settings that differ where these languages are asked for."""
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
    """Give what the settings ask for, of which the command line has named the file `hotwords`, if any.

    Raises:
        click.BadParameter: that file cannot be used.
        HotwordsUnreadable: the one that is set cannot be used.
    """
    try:
        return default_request(settings)
    except HotwordsUnreadable as wrong:
        if hotwords is None:
            raise
        raise click.BadParameter(f"{hotwords}: {wrong.params['reason']}", param_hint="'--hotwords'") from None


def readable_files(files: Sequence[Path]) -> list[Path]:
    """Give the files that are there and are sound, and say of the others why not."""
    readable = []
    for file in files:
        if reason := reason_unreadable(file):
            warn(file, reason)
        else:
            readable.append(file)
    return readable


def reason_unreadable(file: Path) -> str:
    """Say why there is nothing to read under this name; "" where there is."""
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
    """Say why what is in a file is no sound; "" where it is."""
    try:
        check_readable(file)
    except AudioFault as fault:
        return str(fault)
    except OSError:  # trouble of this machine's, which is told where the file is read
        return ""
    return ""


def make_folder(out: Path) -> None:
    """Make the folder that the files are to be written to.

    Raises:
        click.BadParameter: it cannot be made, or not be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{out}: {error.strerror or error}", param_hint="'--out'") from None
    if not os.access(out, os.W_OK):
        raise click.BadParameter(f"{out} cannot be written to", param_hint="'--out'")


def warn(file: Path, reason: str) -> None:
    """Say on stderr what is the matter with a file."""
    click.echo(f"earshot: {file}: {reason}", err=True)
