"""What the bot says, in the language of the person it talks to. The English sentence is the key of its translation.

The catalogues in `locales/` are read as they are (`.po`) and compiled in memory; nothing needs to be built.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from aiogram.utils.i18n import I18n
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import bot.telegram.errors  # noqa: F401 - a fault has its sentence once its room's errors are loaded
import jobs.errors  # noqa: F401 - as above
import storage.errors  # noqa: F401 - as above
from engine import Fault, Param, Transcript, fault_types

LOCALES = Path(__file__).parent / "locales"
SOURCE = "en"
_MINUTE_S, _HOUR_S = 60, 3600
_ROUGH_S = 120  # from here on seconds say nothing to a person


class Translations(I18n):
    """aiogram's translations, read from `.po` files without a build step."""

    def find_locales(self) -> dict[str, gettext.GNUTranslations]:
        """Compile every catalogue in memory."""
        files = sorted(self.path.glob(f"*/LC_MESSAGES/{self.domain}.po"))
        return {file.parent.parent.name: _compile(file) for file in files}


@cache
def translations() -> Translations:
    """Give the translations; read once in a process."""
    return Translations(path=LOCALES, default_locale=SOURCE, domain="earshot")


def languages() -> tuple[str, ...]:
    """List the languages that the bot speaks, English first."""
    return SOURCE, *translations().available_locales


def choose_language(language_code: str | None) -> str:
    """Choose the language to speak with someone whose Telegram speaks `language_code` ("zh-hans" → "zh")."""
    base = (language_code or SOURCE).replace("_", "-").split("-")[0].lower()
    return base if base in languages() else SOURCE


@contextmanager
def use_language(language_code: str | None) -> Iterator[None]:
    """Speak this language inside the `with` block."""
    with translations().use_locale(choose_language(language_code)):
        yield


def translate(sentence: str, /, **values: Param) -> str:
    """Say `sentence` in the current language, with `values` filled in."""
    return translations().gettext(sentence).format(**values)


def translate_plural(one: str, many: str, number: int, /, **values: Param) -> str:
    """Say `one` or `many`, as the current language's plural asks; `{number}` is filled in."""
    return translations().gettext(one, many, number).format(number=number, **values)


def fault_text(code: str, params: dict[str, Param]) -> str:
    """Say what went wrong and what to do about it."""
    sentence = fault_sentences().get(code, Fault.sentence)
    try:
        return translate(sentence, **params)
    except (LookupError, ValueError):  # kept by an older version, with other params
        return translate(Fault.sentence)


def duration_text(seconds: float) -> str:
    """Say how long something takes, as roughly as a person would."""
    whole = max(1, round(seconds))
    if whole < _ROUGH_S:
        return translate("{seconds} s", seconds=whole)
    if whole < _HOUR_S:
        return translate("{minutes} min", minutes=round(whole / _MINUTE_S))
    hours, rest = divmod(whole, _HOUR_S)
    return translate("{hours} h {minutes} min", hours=hours, minutes=rest // _MINUTE_S)


def missing_audio_text(transcript: Transcript) -> str:
    """Say that not all of a recording is there; "" of one that is whole."""
    if transcript.promised_duration is None:
        return ""
    return translate(
        "This recording should last {whole}, but only {read} of it can be read. The rest is missing or damaged.",
        whole=_clock_text(transcript.promised_duration),
        read=_clock_text(transcript.duration),
    )


def date_time_text(moment: datetime) -> str:
    """Say when something happened, on this machine's clock: the day in words, which no country misreads."""
    here = moment.astimezone()
    return f"{format_date(here, 'medium', locale=translations().current_locale)} {here:%H:%M}"


def fault_sentences() -> dict[str, str]:
    """Map the code of every fault to its English sentence."""
    return {kind.code: kind.sentence for kind in fault_types()}


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes}:{rest:02}"


def _compile(file: Path) -> gettext.GNUTranslations:
    with file.open("rb") as source:
        catalogue = read_po(source, locale=file.parent.parent.name)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
