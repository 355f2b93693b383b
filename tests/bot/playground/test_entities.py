import string

import pytest
from aiogram.types import MessageEntity
from hypothesis import given, strategies as st

from bot.playground.api_errors import ApiError
from bot.playground.entities import detect_entities, strip_text, utf16_length, validate_entities

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("text", "units"), [("", 0), ("né中", 3), ("🎉", 2), ("a🎉b👨\u200d💻", 9), ("\ud83c", 1)])
def test_lengths_are_those_of_utf16(text: str, units: int) -> None:
    assert utf16_length(text) == units


@given(st.text(" \n\t"), texts, st.text(" \n\t"))
def test_trimming_moves_entities_with_their_text(before: str, inside: str, after: str) -> None:
    inside = inside.strip() or "x"
    entity = MessageEntity(type="bold", offset=utf16_length(before), length=utf16_length(inside))
    text, entities = strip_text(before + inside + after, [entity])
    assert text == inside
    assert [one.extract_from(text) for one in entities] == [inside]


@pytest.mark.parametrize(
    ("text", "kind", "covered"),
    [
        ("/start", "bot_command", "/start"),
        ("🎉 /history@earshot_bot 2", "bot_command", "/history@earshot_bot"),
        ("see https://example.org/a?b=1.", "url", "https://example.org/a?b=1"),
        ("hi @ada_l", "mention", "@ada_l"),
        ("#late again", "hashtag", "#late"),
    ],
)
def test_what_telegram_finds_by_itself(text: str, kind: str, covered: str) -> None:
    found = detect_entities(text, [])
    assert [(one.type, one.extract_from(text)) for one in found] == [(kind, covered)]


@pytest.mark.parametrize("text", ["1/2", "a//start", "<b>/x>", "mail@example", "#1"])
def test_what_telegram_does_not_find(text: str) -> None:
    assert detect_entities(text, []) == []


def test_nothing_is_found_inside_code() -> None:
    code = MessageEntity(type="code", offset=0, length=6)
    assert detect_entities("/start", [code]) == [code]


@pytest.mark.parametrize(("offset", "length"), [(1, 1), (0, 1), (0, 99), (-1, 2)])
def test_entities_must_not_cut_a_character_or_leave_the_text(offset: int, length: int) -> None:
    with pytest.raises(ApiError, match="ENTITY_BOUNDS_INVALID"):
        validate_entities("🎉x", [MessageEntity(type="bold", offset=offset, length=length)])


def test_entities_that_only_telegram_may_make_are_passed_over() -> None:
    assert validate_entities("/start", [MessageEntity(type="bot_command", offset=0, length=6)]) == []


def test_an_unknown_kind_of_entity_is_refused() -> None:
    with pytest.raises(ApiError, match="Unsupported type specified"):
        validate_entities("abc", [MessageEntity(type="huge", offset=0, length=1)])


@given(st.text(string.printable))
def test_found_entities_never_overlap(text: str) -> None:
    found = detect_entities(text, [])
    ends = [one.offset + one.length for one in found]
    assert all(end <= following.offset for end, following in zip(ends, found[1:], strict=False))
