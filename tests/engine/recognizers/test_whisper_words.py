from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from engine.recognizers.whisper_words import MIN_WORD_S, share_durations
from engine.transcript import Word


def in_a_row(*lengths: float) -> list[Word]:
    moments = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    return [Word(start=start, end=end, text="four") for start, end in pairwise(moments)]


def test_a_word_without_time_shares_that_of_its_longer_neighbour_by_letters() -> None:
    times = {"I": (0.0, 0.3), "am": (0.3, 0.9), "confused": (0.9, 0.9), "now": (0.9, 1.1)}
    words = share_durations([Word(start=start, end=end, text=text) for text, (start, end) in times.items()])
    assert [word.end for word in words] == pytest.approx([0.3, 0.42, 0.9, 1.1])


@given(st.lists(st.sampled_from([0.0, 0.02, 0.2, 1.0]), max_size=12))
def test_words_stay_in_a_row_and_none_is_lost(lengths: list[float]) -> None:
    words, shared = in_a_row(*lengths), share_durations(in_a_row(*lengths))
    assert [word.text for word in shared] == [word.text for word in words]
    assert all(before.end == pytest.approx(after.start) for before, after in pairwise(shared))
    assert all(word.end >= word.start for word in shared)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=12).filter(any))
def test_beside_a_long_word_none_is_without_time(lengths: list[float]) -> None:
    shared = share_durations(in_a_row(*(part for length in lengths for part in (1.0, length))))
    assert all(word.end - word.start >= MIN_WORD_S for word in shared)
