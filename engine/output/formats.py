"""Writes a transcript as txt, vtt, srt or json. Pure: values in, text out."""

import html
from collections.abc import Iterator

from engine.output.subtitles import Cue, make_cues, to_single_line
from engine.scripts import join_texts
from engine.transcript import Segment, Transcript

FORMATS = ("txt", "vtt", "srt", "json")


def render(transcript: Transcript, format: str) -> str:  # noqa: A002 - it is what people call it
    """Write `transcript` in one of FORMATS.

    Raises:
        ValueError: there is no such format.
    """
    segments = [segment for segment in transcript.segments if segment.text.strip()]
    match format:
        case "txt":
            return "".join(f"{turn}\n" for turn in _turns(segments))
        case "vtt":
            return "WEBVTT\n\n" + "".join(map(_vtt_cue, make_cues(segments, names=False)))
        case "srt":
            numbered = enumerate(map(_srt_cue, make_cues(segments, names=True)), start=1)
            return "".join(f"{number}\n{cue}" for number, cue in numbered)
        case "json":
            return transcript.to_json() + "\n"
        case _:
            raise ValueError(f"Unknown format “{format}”. Known are: {', '.join(FORMATS)}.")


def _turns(segments: list[Segment]) -> Iterator[str]:
    """Give a paragraph for each turn of a speaker."""
    turn: list[str] = []
    speaker: str | None = None
    for segment in segments:
        if turn and segment.speaker != speaker:
            yield _paragraph(speaker, join_texts(turn))
            turn = []
        speaker = segment.speaker
        turn.append(" ".join(segment.text.split()))
    if turn:
        yield _paragraph(speaker, join_texts(turn))


def _paragraph(speaker: str | None, text: str) -> str:
    return text if speaker is None else f"{speaker}: {text}"


def _srt_cue(cue: Cue) -> str:
    return _with_times(cue, "\n".join(cue.lines), ",")


def _vtt_cue(cue: Cue) -> str:
    voice = to_single_line(cue.speaker or "")
    text = _escape("\n".join(cue.lines))
    return _with_times(cue, f"<v {_escape(voice)}>{text}" if voice else text, ".")


def _with_times(cue: Cue, text: str, separator: str) -> str:
    return f"{_timestamp(cue.start_ms, separator)} --> {_timestamp(cue.end_ms, separator)}\n{text}\n\n"


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _timestamp(ms: int, separator: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{ms:03}"
