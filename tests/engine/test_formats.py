import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.formats import FORMATS, join, render
from engine.transcript import Segment, Transcript

TIMES = re.compile(r"(\d\d+):([0-5]\d):([0-5]\d)[.,](\d{3}) --> (\d\d+):([0-5]\d):([0-5]\d)[.,](\d{3})$")


def transcript(*segments: Segment) -> Transcript:
    return Transcript(language="en", duration=9_000, segments=segments, model="m")


SAID = transcript(
    Segment(start=0.07, end=2.34, text="Hello, world."),
    Segment(start=3661.5, end=3662.0, text="A <b> & c"),
)
TALK = transcript(
    Segment(start=0, end=1, text="Hi.", speaker="Speaker 1", channel=0),
    Segment(start=1, end=2, text="Hello.", speaker="Speaker 2", channel=1),
    Segment(start=2, end=3, text="How are you?", speaker="Speaker 2", channel=1),
)

times = st.floats(0, 100_000)
segments = st.builds(
    lambda start, length, text, speaker: Segment(start=start, end=start + length, text=text, speaker=speaker),
    times,
    st.floats(0, 100),
    st.text(min_size=1),
    st.none() | st.text(min_size=1),
)
transcripts = st.lists(segments, max_size=6).map(lambda found: transcript(*found))


def test_txt_is_the_text() -> None:
    assert render(SAID, "txt") == "Hello, world. A <b> & c\n"


def test_txt_begins_a_line_for_each_turn() -> None:
    assert render(TALK, "txt") == "Speaker 1: Hi.\nSpeaker 2: Hello. How are you?\n"


def test_srt() -> None:
    assert render(SAID, "srt") == (
        "1\n00:00:00,070 --> 00:00:02,340\nHello, world.\n\n2\n01:01:01,500 --> 01:01:02,000\nA <b> & c\n\n"
    )


def test_vtt() -> None:
    assert render(SAID, "vtt") == (
        "WEBVTT\n\n00:00:00.070 --> 00:00:02.340\nHello, world.\n\n"
        "01:01:01.500 --> 01:01:02.000\nA &lt;b&gt; &amp; c\n\n"
    )
    assert "<v Speaker 2>Hello." in render(TALK, "vtt")


def test_json_reads_back() -> None:
    assert Transcript.from_json(render(TALK, "json")) == TALK


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_said_is_written_too(format: str) -> None:  # noqa: A002 - it is what people call it
    assert isinstance(render(transcript(), format), str)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="docx"):
        render(SAID, "docx")


@given(transcripts)
def test_every_srt_cue_has_a_number_times_and_one_line(said: Transcript) -> None:
    cues = render(said, "srt").split("\n\n")[:-1]
    assert len(cues) == len(spoken(said))
    for number, cue in enumerate(cues, start=1):
        lines = cue.split("\n")
        assert lines[0] == str(number)
        assert_times(lines[1])
        assert "-->" not in "".join(lines[2:])
        assert len(lines) == 3


@given(transcripts)
def test_every_vtt_cue_has_times_and_one_escaped_line(said: Transcript) -> None:
    head, *cues = render(said, "vtt").split("\n\n")[:-1]
    assert head == "WEBVTT"
    for cue, segment in zip(cues, spoken(said), strict=True):
        first, second = cue.split("\n")
        assert_times(first)
        text = re.sub(r"^<v [^>]*>", "", second) if segment.speaker is not None else second
        assert "<" not in text
        assert html.unescape(text) == " ".join(segment.text.split()).replace("-->", "→")


def spoken(said: Transcript) -> list[Segment]:
    return [segment for segment in said.segments if segment.text.strip()]


def assert_times(line: str) -> None:
    found = TIMES.match(line)
    assert found is not None
    numbers = [int(part) for part in found.groups()]
    start, end = (
        part[0] * 3_600_000 + part[1] * 60_000 + part[2] * 1000 + part[3] for part in (numbers[:4], numbers[4:])
    )
    assert start < end


@given(transcripts)
def test_a_transcript_survives_json(said: Transcript) -> None:
    assert Transcript.from_json(said.to_json()) == said


def test_chinese_is_joined_without_spaces_and_english_with() -> None:
    assert join(["你好", "世界。", "Hello", "world", "再见"]) == "你好世界。 Hello world 再见"
    assert join(["", "a", "", "b"]) == "a b"
