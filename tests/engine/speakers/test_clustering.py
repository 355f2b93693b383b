import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from engine.request import Speakers
from engine.speakers import clustering
from engine.speakers.clustering import SpeakerEmbedding, assign_speakers, cluster_embeddings
from engine.transcript import Segment, Word

LENGTH = 192
# As real ones are: people are 0.1 alike, windows of one person 0.5.
SAME = 0.5


def vectors(*who: int, seed: int = 0) -> NDArray[np.float32]:
    """Make a window of each of these people in turn."""
    rng = np.random.default_rng(seed)
    people = rng.normal(0, 1, (max(who, default=0) + 1, LENGTH))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    other = rng.normal(0, 1, (len(who), LENGTH))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    mixed = people[list(who)] * SAME**0.5 + other * (1 - SAME) ** 0.5
    rows: NDArray[np.float32] = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return rows


def in_order(who: list[int]) -> list[int]:
    order = list(dict.fromkeys(who))
    return [order.index(number) for number in who]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(2, 12)), min_size=1, max_size=8), st.booleans())
def test_every_speaker_of_at_least_two_windows_is_found(turns: list[tuple[int, int]], is_given: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    who = in_order([number for number, length in turns for _ in range(length)])
    assert cluster_embeddings(vectors(*who), len(set(who)) if is_given else None).tolist() == who


def test_one_speaker_stays_one() -> None:
    assert set(cluster_embeddings(vectors(*[0] * 200)).tolist()) == {0}


def test_a_single_different_window_is_no_speaker() -> None:
    found = cluster_embeddings(vectors(*[0] * 20, 1, *[0] * 20))
    assert set(found.tolist()) == {0}


def test_a_smaller_number_of_speakers_can_be_given() -> None:
    assert len(set(cluster_embeddings(vectors(*[0] * 9, *[1] * 9, *[2] * 9), 2).tolist())) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("speakers", [None, 1, 2, 5])
def test_a_few_windows_are_clustered_without_errors(count: int, speakers: int | None) -> None:
    assert cluster_embeddings(vectors(*range(count)).reshape(count, LENGTH), speakers).tolist() in (
        [],
        [0],
        [0, 1],
        [0, 0],
    )


def test_the_speakers_of_an_hour_are_found() -> None:
    who = in_order(np.random.default_rng(1).integers(0, 4, 240).repeat(20).tolist())
    assert cluster_embeddings(vectors(*who)).tolist() == who


def test_only_a_limited_number_of_clusters_is_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison takes time with the cube of their number, and memory with the square."""
    compared: list[int] = []
    similarities = clustering._Clusters.similarities  # noqa: SLF001 - what grows with the square

    def counting(clusters: clustering._Clusters) -> NDArray[np.float32]:
        compared.append(len(clusters.sizes))
        return similarities(clusters)

    monkeypatch.setattr(clustering._Clusters, "similarities", counting)  # noqa: SLF001 - as above
    who = in_order([0] * 500 + [1] * 500)
    assert cluster_embeddings(vectors(*who)).tolist() == who
    assert max(compared) <= clustering.MAX_CLUSTERS


def said(start: float, *texts: str, text: str | None = None) -> Segment:
    """Make a segment of words of half a second."""
    words = tuple(Word(start=start + n / 2, end=start + n / 2 + 0.4, text=word) for n, word in enumerate(texts))
    return Segment(start=start, end=start + len(texts) / 2, text=text or " ".join(texts), words=words)


def windows(start: float, *who: int, seed: int = 0) -> list[SpeakerEmbedding]:
    """Make a window every 0.75 s."""
    return [SpeakerEmbedding(start + 0.75 * (n + 1), row) for n, row in enumerate(vectors(0, 1, *who, seed=seed)[2:])]


def test_each_segment_has_its_speaker_numbered_in_order_of_speech() -> None:
    segments = [said(0, *"abcdefgh"), said(10, *"abcdefgh"), said(20, *"abcdefgh")]
    embeddings = [windows(0, 1, 1, 1, 1), windows(10, 0, 0, 0, 0), windows(20, 1, 1, 1, 1)]
    found = assign_speakers(segments, embeddings, "auto")
    assert [segment.speaker for segment in found] == ["Speaker 1", "Speaker 2", "Speaker 1"]
    assert [segment.text for segment in found] == [segment.text for segment in segments]


def test_a_single_speaker_has_no_name() -> None:
    segments = [said(0, *"abcd"), said(10, *"abcd")]
    assert assign_speakers(segments, [windows(0, 0, 0, 0), windows(10, 0, 0, 0)], "auto") == tuple(segments)
    assert assign_speakers(segments, [windows(0, 0, 0, 0), windows(10, 1, 1, 1)], 1) == tuple(segments)
    assert assign_speakers([], [], "auto") == ()


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    text = "Are you there, my friend? Yes, I am. What is it?"
    segment = said(0, *["Are", "you", "there", "my", "friend", "Yes", "I", "am", "What", "is", "it"], text=text)
    first, second = assign_speakers([segment], [windows(0, 0, 0, 0, 1, 1, 1)], "auto")
    assert (first.speaker, second.speaker) == ("Speaker 1", "Speaker 2")
    assert f"{first.text} {second.text}" == text
    assert first.words + second.words == segment.words
    assert (first.start, second.end) == (segment.start, segment.end)
    assert first.end <= second.start


def test_the_split_is_at_the_longest_pause_near_the_change() -> None:
    words = [Word(start=n / 2 + (n > 4) * 0.5, end=n / 2 + 0.45 + (n > 4) * 0.5, text=f"w{n}") for n in range(10)]
    segment = Segment(start=0, end=5.5, text=" ".join(word.text for word in words), words=tuple(words))
    first, second = assign_speakers([segment], [windows(0, 0, 0, 0, 1, 1, 1, 1)], "auto")
    assert (first.text, second.text) == ("w0 w1 w2 w3 w4", "w5 w6 w7 w8 w9")


@pytest.mark.parametrize("text", ["Something else", "a b c"])
def test_a_segment_without_fitting_words_goes_to_the_speaker_of_most_windows(text: str) -> None:
    segments = [said(0, *"abcdefgh", text=text), Segment(start=9, end=20, text="x")]
    embeddings = [windows(0, 0, 0, 0, 1), windows(9, 1, 1, 1, 0)]
    assert [found.speaker for found in assign_speakers(segments, embeddings, 2)] == ["Speaker 1", "Speaker 2"]


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=8), st.booleans()), max_size=6),
    st.sampled_from(["auto", 1, 2, 3, 4]),
)
def test_speakers_are_numbered_in_the_order_of_segments_and_never_alone(
    said_by: list[tuple[list[int], bool]], speakers: Speakers
) -> None:
    segments = [
        said(10 * n, *"abcdefgh") if has_words else Segment(start=10 * n, end=10 * n + 8, text="x")
        for n, (_, has_words) in enumerate(said_by)
    ]
    embeddings = [windows(10 * n, *who, seed=1) for n, (who, _) in enumerate(said_by)]
    found = assign_speakers(segments, embeddings, speakers)
    names = list(dict.fromkeys(segment.speaker for segment in found if segment.speaker))
    assert names == [f"Speaker {n + 1}" for n in range(len(names))]
    assert len(names) != 1


@given(st.lists(st.lists(st.integers(0, 2), max_size=8), max_size=5), st.sampled_from(["auto", 1, 2, 3]))
def test_no_word_is_lost_or_moved(who: list[list[int]], speakers: int) -> None:
    segments = [said(10 * n, *(f"w{n}-{m}" for m in range(9))) for n in range(len(who))]
    embeddings = [windows(10 * n, *numbers, seed=1) for n, numbers in enumerate(who)]
    found = assign_speakers(segments, embeddings, speakers)
    assert [word for segment in found for word in segment.words] == [
        word for segment in segments for word in segment.words
    ]
    assert " ".join(segment.text for segment in found) == " ".join(segment.text for segment in segments)
    assert all(segment.start <= segment.end for segment in found)
