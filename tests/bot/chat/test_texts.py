"""Every sentence in every language."""

import subprocess
import sys
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import bot
import bot.telegram.errors
import jobs.errors
import storage.errors
from bot.chat.texts import (
    LOCALES,
    choose_language,
    date_time_text,
    duration_text,
    fault_sentences,
    fault_text,
    languages,
    translate,
    translate_plural,
    use_language,
)
from engine.errors import Fault
from storage.errors import ArtefactsFault, DatabaseFault

ROOMS = {module.__name__ for module in (bot.telegram.errors, jobs.errors, storage.errors)} | {"engine.errors"}
# Told to the owner at the start, on the terminal, and never in a chat.
FOR_THE_OWNER = (
    "token_",
    "webhook_",
    "redis_",
    "language_setting_",
    "hotwords_",
    "nothing_",
    "memory_",
    "export_",
    "models_dir_",
    DatabaseFault.code,
    ArtefactsFault.code,
)
TRANSLATED = [language for language in languages() if language != "en"]


@cache
def sentences() -> dict[str, str | None]:
    """Find all that the code says: the sentence, and its plural."""
    found: dict[str, str | None] = {}
    for _, _, message, _, _ in extract_from_dir(
        Path(bot.__file__).parent,
        method_map=[("**.py", "python")],
        keywords={"translate": None, "translate_plural": (1, 2)},
    ):
        one, many = (message, None) if isinstance(message, str) else message
        found[one] = many
    told = {s: None for code, s in fault_sentences().items() if not code.startswith(FOR_THE_OWNER)}
    return {**told, **found}


def catalogue(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "earshot.po").open("rb") as file:
        return read_po(file, locale=language)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_there_are_enough_sentences_to_be_the_whole_code() -> None:
    found = sentences()
    assert "In the queue, place {position}, about {wait}" in found
    assert Fault.sentence in found
    assert found["{number} person"] == "{number} people"
    assert len(found) > 70


def test_the_bot_speaks_these_languages() -> None:
    assert set(languages()) == {"en", "de", "es", "fr", "ru", "zh"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated_with_the_same_placeholders(language: str) -> None:
    book = catalogue(language)
    for one, many in sentences().items():
        entry = book.get(one)
        assert entry is not None, one
        forms = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        assert len(forms) == (1 if many is None else book.num_plurals), one
        for form in forms:
            assert form, one
            assert fields(form) == fields(one), form


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_catalogue_holds_what_nobody_says(language: str) -> None:
    kept = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue(language) if entry.id}
    assert kept == set(sentences())


def test_every_fault_has_a_code_of_its_own() -> None:
    fault_types = [Fault]
    for kind in fault_types:
        fault_types.extend(heir for heir in kind.__subclasses__() if heir.__module__ in ROOMS)
    named = [kind for kind in fault_types if "code" in vars(kind)]
    assert len({kind.code for kind in named}) == len(named)


def test_russian_counts_in_three_forms() -> None:
    with use_language("ru"):
        said = [translate_plural("{number} recording", "{number} recordings", n) for n in (1, 2, 5, 21)]
    assert said == ["1 запись", "2 записи", "5 записей", "21 запись"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("de", "de"), ("de-AT", "de"), ("zh-hans", "zh"), ("ZH_TW", "zh"), ("tlh", "en"), ("", "en"), (None, "en")],
)
def test_the_nearest_language_is_spoken(asked: str | None, answered: str) -> None:
    assert choose_language(asked) == answered


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (45, "45 s"), (119, "119 s"), (180, "3 min"), (5400, "1 h 30 min")]
)
def test_durations_are_as_rough_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


def test_a_fault_is_said_in_the_current_language() -> None:
    with use_language("de"):
        assert fault_text("timeout", {"limit_s": 600}).startswith("Das Transkribieren dauerte länger als 600 s")


def test_the_faults_of_every_room_have_their_sentence_without_anybody_else_loading_them() -> None:
    lines = "from bot.chat.texts import fault_sentences; print(*fault_sentences())"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert {"file_too_big", "gave_up", "database_damaged", "timeout"} <= set(done.stdout.split())


@pytest.mark.parametrize(("code", "params"), [("from_the_future", {}), ("timeout", {"other": 1})])
def test_a_fault_that_this_version_does_not_know_is_still_a_sentence(code: str, params: dict[str, str]) -> None:
    assert fault_text(code, dict(params)) == translate(Fault.sentence)


@pytest.mark.parametrize(("language", "day"), [("en", "Nov 20, 2026"), ("de", "20.11.2026"), ("zh", "2026年11月20日")])
def test_a_moment_names_its_day_as_the_language_does_and_its_hour_out_of_24(language: str, day: str) -> None:
    moment = datetime(2026, 11, 20, 21, 24).astimezone()
    with use_language(language):
        assert date_time_text(moment) == f"{day} 21:24"
