"""Writes a transcript as txt, vtt, srt or json. Pure: values in, text out."""

import html
from collections.abc import Iterator

from engine.transcript import Segment, Transcript

FORMATS = ("txt", "vtt", "srt", "json")
SHORTEST_CUE_MS = 1


def render(transcript: Transcript, format: str) -> str:  # noqa: A002 - it is what people call it
    """Write `transcript` in one of FORMATS.

    Raises:
        ValueError: there is no such format.
    """
    said = [segment for segment in transcript.segments if segment.text.strip()]
    match format:
        case "txt":
            return "".join(f"{turn}\n" for turn in _turns(said))
        case "vtt":
            return "WEBVTT\n\n" + "".join(_vtt_cue(segment) for segment in said)
        case "srt":
            cues = (_srt_cue(segment) for segment in said)
            return "".join(f"{number}\n{cue}" for number, cue in enumerate(cues, start=1))
        case "json":
            return transcript.to_json() + "\n"
        case _:
            raise ValueError(f"Unknown format “{format}”. Known are: {', '.join(FORMATS)}.")


def _turns(segments: list[Segment]) -> Iterator[str]:
    """Give one paragraph for each turn: a new one where the speaker changes."""
    turn: list[str] = []
    speaker: str | None = None
    for segment in segments:
        if turn and segment.speaker != speaker:
            yield _said(speaker, join(turn))
            turn = []
        speaker = segment.speaker
        turn.append(" ".join(segment.text.split()))
    if turn:
        yield _said(speaker, join(turn))


def join(texts: list[str]) -> str:
    """Join texts as their script does: with a space, but for Chinese and Japanese."""
    joined = ""
    for text in texts:
        gap = " " if joined and text and not (_is_unspaced(joined[-1]) and _is_unspaced(text[0])) else ""
        joined += gap + text
    return joined


def _is_unspaced(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef"


def _said(speaker: str | None, text: str) -> str:
    return text if speaker is None else f"{speaker}: {text}"


def _srt_cue(segment: Segment) -> str:
    start_ms, end_ms = _times_ms(segment)
    text = _one_line(_said(segment.speaker, segment.text))
    return f"{_clock(start_ms, ',')} --> {_clock(end_ms, ',')}\n{text}\n\n"


def _vtt_cue(segment: Segment) -> str:
    start_ms, end_ms = _times_ms(segment)
    text = html.escape(_one_line(segment.text), quote=False)
    if segment.speaker is not None:
        text = f"<v {html.escape(_one_line(segment.speaker), quote=False)}>{text}"
    return f"{_clock(start_ms, '.')} --> {_clock(end_ms, '.')}\n{text}\n\n"


def _one_line(text: str) -> str:
    """Keep a cue in one line: an empty line would end it. An arrow would be read as its times."""
    return " ".join(text.split()).replace("-->", "→")


def _times_ms(segment: Segment) -> tuple[int, int]:
    start_ms = max(0, round(segment.start * 1000))
    return start_ms, max(start_ms + SHORTEST_CUE_MS, round(segment.end * 1000))


def _clock(ms: int, separator: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{ms:03}"
