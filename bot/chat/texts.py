"""Translates the bot's texts with gettext. The English sentence is the message id.

The `.po` catalogues in `locales/` are compiled in memory; there is no build step.
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
from bot.chat.layout import clock_text
from engine import Fault, Param, Transcript, fault_types

LOCALES = Path(__file__).parent / "locales"
SOURCE = "en"
_MINUTE_S, _HOUR_S = 60, 3600
_ROUGH_S = 120  # from here on seconds say nothing to a person


class Translations(I18n):
    """aiogram's I18n, reading `.po` files instead of compiled ones."""

    def find_locales(self) -> dict[str, gettext.GNUTranslations]:
        """Compile every catalogue in memory, by language."""
        files = sorted(self.path.glob(f"*/LC_MESSAGES/{self.domain}.po"))
        return {file.parent.parent.name: _compile(file) for file in files}


@cache
def translations() -> Translations:
    """Return the translations, loaded once per process."""
    return Translations(path=LOCALES, default_locale=SOURCE, domain="earshot")


def languages() -> tuple[str, ...]:
    """Return the codes of all languages, English first."""
    return SOURCE, *translations().available_locales


def choose_language(language_code: str | None) -> str:
    """Return the language for a user's `language_code` ("zh-hans" → "zh"), English if there is none."""
    base = (language_code or SOURCE).replace("_", "-").split("-")[0].lower()
    return base if base in languages() else SOURCE


@contextmanager
def use_language(language_code: str | None) -> Iterator[None]:
    """Translate into this language inside the block."""
    with translations().use_locale(choose_language(language_code)):
        yield


def translate(sentence: str, /, **values: Param) -> str:
    """Translate `sentence` into the current language and fill in `values`."""
    return translations().gettext(sentence).format(**values)


def translate_plural(one: str, many: str, number: int, /, **values: Param) -> str:
    """Translate a sentence with a number, in the current language's plural form; fill in `{number}` and `values`."""
    return translations().gettext(one, many, number).format(number=number, **values)


def fault_text(code: str, params: dict[str, Param]) -> str:
    """Return the translated sentence of a fault, with its remedy."""
    sentence = fault_sentences().get(code, Fault.sentence)
    try:
        return translate(sentence, **params)
    except (LookupError, ValueError):  # kept by an older version, with other params
        return translate(Fault.sentence)


def duration_text(seconds: float) -> str:
    """Return a rounded duration with its unit, such as "45 s" or "12 min"."""
    whole = max(1, round(seconds))
    if whole < _ROUGH_S:
        return translate("{seconds} s", seconds=whole)
    if whole < _HOUR_S:
        return translate("{minutes} min", minutes=round(whole / _MINUTE_S))
    hours, rest = divmod(whole, _HOUR_S)
    return translate("{hours} h {minutes} min", hours=hours, minutes=rest // _MINUTE_S)


def missing_audio_text(transcript: Transcript) -> str:
    """Return the warning that a recording is truncated; "" if it is complete."""
    if transcript.promised_duration is None:
        return ""
    return translate(
        "This recording should last {whole}, but only {read} of it can be read. The rest is missing or damaged.",
        whole=clock_text(round(transcript.promised_duration)),
        read=clock_text(round(transcript.duration)),
    )


def date_time_text(moment: datetime) -> str:
    """Return date and time in this machine's time zone, with the month in words."""
    here = moment.astimezone()
    return f"{format_date(here, 'medium', locale=translations().current_locale)} {here:%H:%M}"


def fault_sentences() -> dict[str, str]:
    """Return the English sentence of every fault, by its code."""
    return {kind.code: kind.sentence for kind in fault_types()}


def _compile(file: Path) -> gettext.GNUTranslations:
    with file.open("rb") as source:
        catalogue = read_po(source, locale=file.parent.parent.name)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
