"""What a transcript is for others: its JSON, its schema, and what docs/transcript.md says of them."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from engine.formats import render
from engine.settings import EngineSettings
from engine.transcript import Segment, Transcript, Word

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "transcript.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SCHEMA = json.loads((DOCS / "transcript.schema.json").read_text(encoding="utf-8"))
FOR_PEOPLE = frozenset({"$schema", "title", "description", "default"})


def bones(schema: object) -> object:
    """Leave out what only people read of a schema."""
    match schema:
        case dict():
            return {name: bones(part) for name, part in schema.items() if name not in FOR_PEOPLE}
        case list():
            return [bones(part) for part in schema]
    return schema


def test_the_schema_is_that_of_a_transcript() -> None:
    assert bones(SCHEMA) == bones(TypeAdapter(Transcript).json_schema(mode="serialization"))


def test_every_field_is_described_in_the_schema_and_on_the_page() -> None:
    kinds = [SCHEMA, *SCHEMA["$defs"].values()]
    fields = {name: field for kind in kinds for name, field in kind["properties"].items()}
    assert all(field["description"] for field in fields.values())
    assert [name for name in fields if f"`{name}`" not in PAGE] == []


def test_the_example_has_every_field_and_reads_back() -> None:
    example = Transcript.from_json(EXAMPLES["json"])
    assert json.loads(example.to_json()) == json.loads(EXAMPLES["json"])


@pytest.mark.parametrize("format_name", ["txt", "vtt", "srt"])
def test_the_other_examples_are_the_same_transcript(format_name: str) -> None:
    example = Transcript.from_json(EXAMPLES["json"])
    assert render(example, format_name).rstrip("\n") == EXAMPLES[format_name].rstrip("\n")


def test_the_settings_on_the_page_exist() -> None:
    named = set(re.findall(r"`engine\.(\w+)`", PAGE))
    assert named
    assert named <= set(EngineSettings.model_fields)


def test_a_transcript_that_was_kept_before_there_were_words_still_reads() -> None:
    kept = (
        '{"language":"en","duration":2.0,"segments":[{"start":0.5,"end":1.5,"text":"Hello","speaker":null,'
        '"channel":null}],"model":"starter"}'
    )
    segment = Segment(start=0.5, end=1.5, text="Hello")
    assert Transcript.from_json(kept) == Transcript(language="en", duration=2, segments=(segment,), model="starter")


def test_a_transcript_of_a_later_version_reads_without_what_is_new() -> None:
    segment = Segment(start=0, end=1, text="Hi", words=(Word(start=0, end=1, text="Hi"),))
    transcript = Transcript(language="en", duration=2, segments=(segment,), model="m")
    later = json.loads(transcript.to_json())
    later["mood"] = later["segments"][0]["mood"] = "new"
    assert Transcript.from_json(json.dumps(later)) == transcript
