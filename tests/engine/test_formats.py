import html

import pysubs2
import pytest
import webvtt
from hypothesis import given, strategies as st

from engine.output.formats import FORMATS, render
from engine.output.subtitles import make_cues, to_single_line
from engine.transcript import Segment, Transcript


def transcript(*segments: Segment) -> Transcript:
    return Transcript(language="en", duration=9_000, segments=segments, model="m")


SAID = transcript(
    Segment(start=0.07, end=2.34, text="Hello, world."),
    Segment(start=3661.5, end=3663.0, text="A <b> & c"),
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
        "1\n00:00:00,070 --> 00:00:02,340\nHello, world.\n\n2\n01:01:01,500 --> 01:01:03,000\nA <b> & c\n\n"
    )


def test_vtt() -> None:
    assert render(SAID, "vtt") == (
        "WEBVTT\n\n00:00:00.070 --> 00:00:02.340\nHello, world.\n\n"
        "01:01:01.500 --> 01:01:03.000\nA &lt;b&gt; &amp; c\n\n"
    )
    assert "<v Speaker 2>Hello." in render(TALK, "vtt")


def test_json_reads_back() -> None:
    assert Transcript.from_json(render(TALK, "json")) == TALK


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_transcript_is_written_too(format: str) -> None:  # noqa: A002 - it is what people call it
    assert isinstance(render(transcript(), format), str)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="docx"):
        render(SAID, "docx")


@given(transcripts)
def test_another_program_finds_every_cue_of_srt_with_its_times(said: Transcript) -> None:
    expected = make_cues(said.segments, names=True)
    found = pysubs2.SSAFile.from_string(render(said, "srt"), format_="srt", keep_unknown_html_tags=True)
    assert [(cue.start, cue.end) for cue in found] == [(cue.start_ms, cue.end_ms) for cue in expected]


@given(transcripts)
def test_another_program_finds_every_cue_of_vtt_with_its_text_and_its_voice(said: Transcript) -> None:
    expected = make_cues(said.segments, names=False)
    found = webvtt.from_string(render(said, "vtt"))
    for read, cue in zip(found.captions, expected, strict=True):
        start_ms, end_ms = cue.start_ms, cue.end_ms
        assert (milliseconds(read.start), milliseconds(read.end)) == (start_ms, end_ms)
        assert html.unescape(read.text) == "\n".join(cue.lines)
        assert html.unescape(read.voice or "") == to_single_line(cue.speaker or "")


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
