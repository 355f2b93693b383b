import csv
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import pytest
from rapidfuzz.distance import Levenshtein

from engine.speech import Engine
from engine.transcript import Transcript
from tests.engine.transcribing import text_of, transcribe, words

pytestmark = pytest.mark.slow  # four minutes of speech

CLIP = "clips/en_long_lj001_multi_minute.mp3"
NEAR_S = 0.2


class Said(NamedTuple):
    """A sentence, or part of one, between two pauses, and when it was really said."""

    start: float
    end: float
    words: list[str]


@pytest.fixture(scope="module")
def said(shared: Path) -> list[Said]:
    with (shared / CLIP).with_suffix(".segments.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Said(float(row["start"]), float(row["end"]), words(row["text"])) for row in rows]


@pytest.fixture(scope="module")
def transcript(starter: Engine, shared: Path) -> Transcript:
    return transcribe(starter, shared / CLIP)


def test_segments_begin_and_end_where_a_sentence_does(transcript: Transcript, said: list[Said]) -> None:
    for segment in transcript.segments:
        assert min(abs(segment.start - part.start) for part in said) <= NEAR_S
        assert min(abs(segment.end - part.end) for part in said) <= NEAR_S


def test_sentences_begin_with_their_first_word_and_end_with_their_last(
    transcript: Transcript, said: list[Said]
) -> None:
    """Recordings of single sentences were joined: most end up to 0.1 s after the last sound, in the room's hiss."""
    spoken = [(plain, part, position) for part in said for position, plain in enumerate(part.words)]
    heard = [(plain, word) for segment in transcript.segments for word in segment.words for plain in words(word.text)]
    pairs = SequenceMatcher(None, [plain for plain, *_ in spoken], [plain for plain, _ in heard], autojunk=False)
    same = [
        (*spoken[block.a + offset][1:], heard[block.b + offset][1])
        for block in pairs.get_matching_blocks()
        for offset in range(block.size)
    ]
    begins_s = [word.start - part.start for part, position, word in same if position == 0]
    ends_s = [word.end - part.end for part, position, word in same if position == len(part.words) - 1]
    for off_s in (begins_s, ends_s):
        assert len(off_s) >= 0.8 * len(said)
        assert max(map(abs, off_s)) <= NEAR_S


def test_nothing_spoken_is_lost_where_it_is_cut(transcript: Transcript, said: list[Said]) -> None:
    reference = [word for part in said for word in part.words]
    assert Levenshtein.distance(reference, words(text_of(transcript))) <= 0.07 * len(reference)
