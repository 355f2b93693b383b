from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from engine.vad.chunking import Region
from engine.vad.endpointing import LONG_SILENCE, EndpointConfig, Endpointer

Detect = Callable[[list[bool]], list[Region]]
Run = tuple[bool, int]

PATIENCE = EndpointConfig(window=20, onset=15, offset=15, lead=20, silence=65, trail=10, longest=6_000)
LEAST = 15


def frames(runs: Iterable[Run]) -> list[bool]:
    return [spoken for spoken, length in runs for _ in range(length)]


def heard(spoken: list[bool], *, cut: int = 0) -> list[Region]:
    endpoints = Endpointer(PATIENCE)
    return [*endpoints.feed(spoken[:cut]), *endpoints.feed(spoken[cut:]), *endpoints.finish()]


def found(spoken: list[bool], *, cut: int = 0) -> list[Region]:
    return [region for region in heard(spoken, cut=cut) if not region.is_empty]


@pytest.fixture(scope="session")
def funasr() -> Detect:
    """FunASR's own detector, told what is speech instead of hearing it."""
    import torch  # noqa: PLC0415 - not before a test needs it
    from funasr.models.fsmn_vad_streaming import model as vendor  # noqa: PLC0415 - as above

    network = {"input_dim": 1, "input_affine_dim": 1, "fsmn_layers": 1, "linear_dim": 1, "proj_dim": 1, "lorder": 2}
    network |= {"rorder": 0, "lstride": 1, "rstride": 0, "output_affine_dim": 1, "output_dim": 1}
    detector = vendor.FsmnVADStreaming(encoder="FSMN", encoder_conf=network, max_end_silence_time=800)

    def detect(spoken: list[bool]) -> list[Region]:
        silence = torch.tensor([[[0.1 if is_spoken else 0.9] for is_spoken in spoken]])
        detector.encoder.forward = lambda *_, **__: silence
        waveform = torch.zeros(1, (len(spoken) - 1) * 160 + 400)
        with torch.inference_mode():
            [events] = detector.forward(silence, waveform, detector.init_cache({}), is_final=True) or [[]]
        # What begins with the very last frame is never ended there.
        return [Region(start // 10, len(spoken) if end < 0 else end // 10) for start, end in events]

    return detect


runs = st.lists(st.tuples(st.booleans(), st.integers(1, 120)), min_size=1, max_size=40)
flickering = st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=150)
long_runs = st.lists(st.tuples(st.booleans(), st.integers(1, 7_000)), min_size=1, max_size=3)


@settings(deadline=None)
@given(st.one_of(runs, flickering, long_runs))
def test_regions_are_funasr_s(funasr: Detect, runs: list[Run]) -> None:
    spoken = frames(runs)
    assert found(spoken) == funasr(spoken)


@given(runs, st.integers(0, 2_000))
def test_regions_do_not_depend_on_how_the_frames_come(runs: list[Run], cut: int) -> None:
    assert found(frames(runs), cut=cut) == found(frames(runs))


@given(runs)
def test_regions_come_in_order_and_never_overlap(runs: list[Run]) -> None:
    spoken = frames(runs)
    edges = [edge for region in found(spoken) for edge in region]
    assert edges == sorted(edges)
    assert all(region.start < region.end <= len(spoken) for region in found(spoken))


def test_speech_begins_a_while_before_and_ends_a_while_after() -> None:
    [region] = found(frames([(False, 100), (True, 50), (False, 200)]))
    assert region == (100 + LEAST - 1 - 40, 150 + 5 + 11)


def test_what_is_too_short_is_no_speech() -> None:
    assert found(frames([(False, 100), (True, LEAST - 1), (False, 200)])) == []


def test_a_short_pause_parts_nothing_and_a_long_one_does() -> None:
    assert len(found(frames([(True, 50), (False, 50), (True, 50), (False, 100)]))) == 1
    assert len(found(frames([(True, 50), (False, 80), (True, 50), (False, 100)]))) == 2


def test_speech_without_an_end_is_cut_off_and_goes_on_at_once() -> None:
    first, second = found(frames([(True, 7_000)]))
    assert first == (0, 6_001)
    assert second == (6_001, 7_000)


def test_speech_that_begins_with_the_last_frame_is_not_lost() -> None:
    assert found(frames([(False, 50), (True, LEAST)])) == [Region(24, 65)]


@given(long_runs)
def test_of_a_long_silence_is_told_as_it_goes_on(runs: list[Run]) -> None:
    spoken = frames(runs)
    regions = heard(spoken)
    assert all(before.end <= after.start for before, after in pairwise(regions))
    told = [Region(0, 0), *regions]
    assert all(after.start - before.end <= LONG_SILENCE + 1 for before, after in pairwise(told))
    assert len(spoken) - told[-1].end <= LONG_SILENCE + PATIENCE.window + PATIENCE.lead + 1


def test_a_long_silence_is_far_from_what_was_said_before_it() -> None:
    speech, silence = heard(frames([(False, 100), (True, 500), (False, 4_000)]))
    assert silence == (speech.end + LONG_SILENCE + 1,) * 2


def test_nothing_gives_nothing() -> None:
    assert found([]) == []
