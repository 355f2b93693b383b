"""What a transcript is for others: its JSON, its schema, and what docs/transcript.md says of them."""

import json
import re
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from engine.audio.samples import Audio, decode
from engine.output.formats import render
from engine.pipeline.transcribe import TranscriptionPipeline
from engine.request import Request
from engine.settings import EngineSettings
from engine.speech import Engine
from engine.transcript import Correction, Segment, Transcript, Word
from tests.engine.folders import write_sensevoice
from tests.engine.recognizers.test_sensevoice import Answering
from tests.engine.transcribing import transcribe

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "transcript.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SCHEMA = json.loads((DOCS / "transcript.schema.json").read_text(encoding="utf-8"))
FOR_PEOPLE = frozenset({"$schema", "title", "description", "default"})
VALIDATOR = Draft202012Validator(SCHEMA)

times = st.floats(0, 100_000)
strings = st.text()
segments = st.builds(
    Segment,
    start=times,
    end=times,
    text=strings,
    speaker=st.none() | strings,
    channel=st.none() | st.integers(0, 1),
    words=st.lists(st.builds(Word, start=times, end=times, text=strings), max_size=3).map(tuple),
    events=st.lists(strings, max_size=3).map(tuple),
    emotion=strings,
    corrections=st.lists(st.builds(Correction, heard=strings, written=strings), max_size=3).map(tuple),
)
transcripts = st.builds(
    Transcript,
    language=strings,
    duration=times,
    segments=st.lists(segments, max_size=4).map(tuple),
    model=strings,
)


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


def test_the_schema_is_one_of_the_version_that_it_names() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@given(transcripts)
def test_every_transcript_survives_json_fits_the_schema_and_is_the_same_to_another_program(said: Transcript) -> None:
    assert Transcript.from_json(said.to_json()) == said
    found = json.loads(render(said, "json"))
    assert found == json.loads(json.dumps(asdict(said)))
    VALIDATOR.validate(found)


def test_what_is_said_without_a_model_fits_the_schema(sample: Path) -> None:
    said = transcribe(Engine.open(EngineSettings(model="fake")), sample)
    assert said.segments
    VALIDATOR.validate(json.loads(said.to_json()))


def test_what_two_people_say_fits_the_schema_with_all_that_is_known_of_it(
    starter_models_dir: Path, sample: Path, tmp_path: Path
) -> None:
    folder = write_sensevoice(tmp_path / "sensevoice", weights=False)
    answering = Answering(folder, starter_models_dir / "fsmn-vad", tmp_path / "answer.onnx")
    model = answering.model("en HAPPY Laughter withitn", [*"kubernets", "."])
    voice = decode(sample, max_audio_s=60).samples
    said = TranscriptionPipeline("sensevoice", ("en",), model).transcribe(
        Audio(samples=np.stack([voice, voice], axis=1)),
        Request(channels="split", hotwords=("Kubernetes",), correct=True),
        on_progress=lambda _: None,
        cancelled=threading.Event(),
    )
    assert {segment.speaker for segment in said.segments} == {"Speaker 1", "Speaker 2"}
    for segment in said.segments:
        assert segment.words
        assert (segment.events, segment.emotion) == (("laughter",), "happy")
        assert segment.corrections == (Correction(heard="kubernets", written="Kubernetes"),)
    VALIDATOR.validate(json.loads(said.to_json()))


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("$", '"language": "en",', ""),
        ("$.duration", "7.4", '"7.4"'),
        ("$.segments[0].text", '"Where is the 10:30 train?"', "null"),
        ("$.segments[0].speaker", '"Speaker 1"', "1"),
        ("$.segments[0].channel", '"channel": 0', '"channel": "left"'),
        ("$.segments[0].words[4]", '"start": 1.71, ', ""),
        ("$.segments[1]", '"start": 3.02,', ""),
        ("$.segments[1].words", '"words": []', '"words": {}'),
        ("$.segments[1].events[0]", '["laughter"]', "[7]"),
        ("$.segments[1].corrections[0]", '"heard": "Joerg", ', ""),
    ],
)
def test_the_schema_refuses_what_is_no_transcript(path: str, right: str, wrong: str) -> None:
    assert right in EXAMPLES["json"]
    VALIDATOR.validate(json.loads(EXAMPLES["json"]))
    spoiled = json.loads(EXAMPLES["json"].replace(right, wrong, 1))
    assert [error.json_path for error in VALIDATOR.iter_errors(spoiled)] == [path]


def test_every_field_is_described_in_the_schema_and_on_the_page() -> None:
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    fields = {name: field for each in objects for name, field in each["properties"].items()}
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
