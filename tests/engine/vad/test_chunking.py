from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, strategies as st

from engine.vad.chunking import Chunk, Region, merge_regions, pad_regions, split_regions, trim_to_speech

TOTAL = 100_000


@st.composite
def regions(draw: st.DrawFn) -> list[Region]:
    edges = sorted(draw(st.sets(st.integers(0, TOTAL), max_size=40)))
    return [Region(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]


lengths = st.integers(8, 20_000)
gaps = st.integers(0, 5_000)
choices = st.sampled_from([lambda low, _: low, lambda _, high: high, lambda low, high: (low + high) // 2])


def covered(found: list[Region]) -> set[int]:
    return {sample for region in found for sample in range(region.start, region.end)}


def in_order(found: list[Region]) -> bool:
    return all(region.start < region.end for region in found) and all(a.end <= b.start for a, b in pairwise(found))


@given(regions(), gaps, lengths)
def test_merging_loses_nothing_and_keeps_order(found: list[Region], max_gap: int, max_length: int) -> None:
    result = list(merge_regions(found, max_gap=max_gap, max_length=max_length))
    assert in_order(result)
    assert covered(found) <= covered(result)


@given(regions(), gaps, lengths)
def test_merging_respects_gap_and_length(found: list[Region], max_gap: int, max_length: int) -> None:
    result = list(merge_regions(found, max_gap=max_gap, max_length=max_length))
    for region in result:
        within = [old for old in found if region.start <= old.start and old.end <= region.end]
        assert len(within) == 1 or region.end - region.start <= max_length
        assert all(b.start - a.end <= max_gap for a, b in pairwise(within))


@given(regions(), lengths, gaps, choices)
def test_splitting_keeps_every_sample_in_order_within_the_length(
    found: list[Region], max_length: int, touching: int, quietest: Callable[[int, int], int]
) -> None:
    result = list(split_regions(found, max_length=max_length, touching=touching, quietest=quietest))
    assert in_order(result)
    assert covered(found) <= covered(result)
    assert all(region.end - region.start <= max_length for region in result)


@given(regions(), lengths)
def test_splitting_adds_nothing_where_nothing_touches(found: list[Region], max_length: int) -> None:
    result = list(split_regions(found, max_length=max_length, touching=-1, quietest=lambda low, _: low))
    assert covered(result) == covered(found)


def test_a_region_is_split_where_it_is_quietest() -> None:
    asked: list[tuple[int, int]] = []

    def quietest(low: int, high: int) -> int:
        asked.append((low, high))
        return 70

    assert list(split_regions([Region(0, 130)], max_length=100, touching=0, quietest=quietest)) == [(0, 70), (70, 130)]
    assert asked == [(50, 100)]


def test_touching_regions_are_joined_and_split_at_a_better_place() -> None:
    forced = [Region(0, 60), Region(61, 130)]
    assert list(split_regions(forced, max_length=100, touching=2, quietest=lambda *_: 55)) == [(0, 55), (55, 130)]


@given(regions(), st.integers(0, 3_000))
def test_padded_chunks_hold_all_speech_and_never_overlap(found: list[Region], margin: int) -> None:
    pieces = list(pad_regions(found, margin=margin, total=TOTAL))
    assert [piece.speech for piece in pieces] == found
    for piece in pieces:
        assert max(0, piece.speech.start - margin) <= piece.padded.start <= piece.speech.start
        assert piece.speech.end <= piece.padded.end <= min(TOTAL, piece.speech.end + margin)
    assert all(a.padded.end <= b.padded.start for a, b in pairwise(pieces))


@given(regions(), st.integers(0, 3_000), st.data())
def test_trimming_keeps_the_detected_region_within_the_padding(
    found: list[Region], margin: int, data: st.DataObject
) -> None:
    for piece in pad_regions(found, margin=margin, total=TOTAL):
        inside = st.integers(piece.speech.start, piece.speech.end)
        spoken = Region(*sorted([data.draw(inside), data.draw(inside)]))
        narrow = trim_to_speech(piece, spoken, margin=margin)
        assert narrow.speech == spoken
        assert piece.padded.start <= narrow.padded.start <= piece.speech.start
        assert piece.speech.end <= narrow.padded.end <= piece.padded.end
        assert narrow.padded.start >= min(piece.speech.start, spoken.start - margin)
        assert narrow.padded.end <= max(piece.speech.end, spoken.end + margin)


def test_a_trimmed_chunk_keeps_its_margin_within_the_padding() -> None:
    wide = Chunk(Region(100, 200), Region(50, 250))
    assert trim_to_speech(wide, Region(110, 190), margin=50) == Chunk(Region(110, 190), Region(60, 240))
    assert trim_to_speech(wide, Region(180, 190), margin=50) == Chunk(Region(180, 190), Region(100, 240))


def test_neighbours_share_the_pause_between_them() -> None:
    pieces = list(pad_regions([Region(100, 200), Region(220, 300)], margin=50, total=310))
    assert pieces == [
        Chunk(Region(100, 200), Region(50, 210)),
        Chunk(Region(220, 300), Region(210, 310)),
    ]


def test_no_regions_give_no_regions() -> None:
    assert list(merge_regions([], max_gap=1, max_length=1)) == []
    assert list(split_regions([], max_length=1, touching=0, quietest=lambda low, _: low)) == []
    assert list(pad_regions([], margin=1, total=1)) == []


def test_only_a_region_without_samples_is_empty() -> None:
    assert Region(3, 3).is_empty
    assert not Region(3, 4).is_empty
