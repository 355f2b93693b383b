from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings, strategies as st

from engine.vad.chunking import Region
from engine.vad.endpointing import LONG_SILENCE, EndpointConfig, Endpointer

Detect = Callable[[list[bool]], list[Region]]
Run = tuple[bool, int]

CONFIG = EndpointConfig(window=20, onset=15, offset=15, lead=20, silence=65, trail=10, longest=6_000)
LEAST = 15


def frames(runs: Iterable[Run]) -> list[bool]:
    return [is_speech for is_speech, length in runs for _ in range(length)]


def regions_of(speech: list[bool], *, cut: int = 0) -> list[Region]:
    endpointer = Endpointer(CONFIG)
    return [*endpointer.feed(speech[:cut]), *endpointer.feed(speech[cut:]), *endpointer.finish()]


def found(speech: list[bool], *, cut: int = 0) -> list[Region]:
    return [region for region in regions_of(speech, cut=cut) if not region.is_empty]


@pytest.fixture(scope="session")
def funasr() -> Detect:
    """FunASR's own detector, told what is speech instead of hearing it."""
    import torch  # noqa: PLC0415 - not before a test needs it
    from funasr.models.fsmn_vad_streaming import model as vendor  # noqa: PLC0415 - as above

    network = {"input_dim": 1, "input_affine_dim": 1, "fsmn_layers": 1, "linear_dim": 1, "proj_dim": 1, "lorder": 2}
    network |= {"rorder": 0, "lstride": 1, "rstride": 0, "output_affine_dim": 1, "output_dim": 1}
    detector = vendor.FsmnVADStreaming(encoder="FSMN", encoder_conf=network, max_end_silence_time=800)

    def detect(speech: list[bool]) -> list[Region]:
        silence = torch.tensor([[[0.1 if is_spoken else 0.9] for is_spoken in speech]])
        detector.encoder.forward = lambda *_, **__: silence
        waveform = torch.zeros(1, (len(speech) - 1) * 160 + 400)
        with torch.inference_mode():
            [events] = detector.forward(silence, waveform, detector.init_cache({}), is_final=True) or [[]]
        # What begins with the very last frame is never ended there.
        return [Region(start // 10, len(speech) if end < 0 else end // 10) for start, end in events]

    return detect


runs = st.lists(st.tuples(st.booleans(), st.integers(1, 120)), min_size=1, max_size=40)
flickering = st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=150)
long_runs = st.lists(st.tuples(st.booleans(), st.integers(1, 7_000)), min_size=1, max_size=3)


@settings(max_examples=40)  # FunASR takes a tenth of a second for each
@given(st.one_of(runs, flickering))
def test_regions_are_funasr_s(funasr: Detect, runs: list[Run]) -> None:
    speech = frames(runs)
    assert found(speech) == funasr(speech)


@settings(max_examples=3)  # and a second for each of these
@example([(False, 300), (True, 6_100), (False, 60), (True, 500)])
@example([(True, 6_050), (False, 10), (True, 6_500)])
@example([(False, 40), (True, 200), (False, 200), (True, 1)])
@example([(True, 7_000)])
@example([(False, 3_500), (True, 100), (False, 3_500)])
@given(long_runs)
def test_regions_of_long_recordings_are_funasr_s(funasr: Detect, runs: list[Run]) -> None:
    speech = frames(runs)
    assert found(speech) == funasr(speech)


@given(runs, st.integers(0, 2_000))
def test_regions_do_not_depend_on_how_the_frames_are_fed(runs: list[Run], cut: int) -> None:
    assert found(frames(runs), cut=cut) == found(frames(runs))


@given(runs)
def test_regions_come_in_order_and_never_overlap(runs: list[Run]) -> None:
    speech = frames(runs)
    edges = [edge for region in found(speech) for edge in region]
    assert edges == sorted(edges)
    assert all(region.start < region.end <= len(speech) for region in found(speech))


def test_a_region_starts_before_and_ends_after_its_speech_frames() -> None:
    [region] = found(frames([(False, 100), (True, 50), (False, 200)]))
    assert region == (100 + LEAST - 1 - 40, 150 + 5 + 11)


def test_too_few_speech_frames_are_no_region() -> None:
    assert found(frames([(False, 100), (True, LEAST - 1), (False, 200)])) == []


def test_only_a_long_pause_splits_a_region() -> None:
    assert len(found(frames([(True, 50), (False, 50), (True, 50), (False, 100)]))) == 1
    assert len(found(frames([(True, 50), (False, 80), (True, 50), (False, 100)]))) == 2


def test_endless_speech_is_cut_at_the_longest_region() -> None:
    first, second = found(frames([(True, 7_000)]))
    assert first == (0, 6_001)
    assert second == (6_001, 7_000)


def test_speech_that_begins_with_the_last_frame_is_not_lost() -> None:
    assert found(frames([(False, 50), (True, LEAST)])) == [Region(24, 65)]


@given(long_runs)
def test_a_long_silence_is_marked_while_it_lasts(runs: list[Run]) -> None:
    speech = frames(runs)
    regions = regions_of(speech)
    assert all(before.end <= after.start for before, after in pairwise(regions))
    told = [Region(0, 0), *regions]
    assert all(after.start - before.end <= LONG_SILENCE + 1 for before, after in pairwise(told))
    assert len(speech) - told[-1].end <= LONG_SILENCE + CONFIG.window + CONFIG.lead + 1


def test_a_silence_is_marked_half_a_minute_after_speech() -> None:
    first, silence = regions_of(frames([(False, 100), (True, 500), (False, 4_000)]))
    assert silence == (first.end + LONG_SILENCE + 1,) * 2


def test_no_audio_gives_no_regions() -> None:
    assert found([]) == []
