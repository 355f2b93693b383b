import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import pytest

from engine.audio import SAMPLE_RATE
from engine.audio.sandbox import DecoderProcess, Limits
from engine.errors import AudioTooLong, AudioUnreadable, Cancelled, DecodingLimitExceeded
from tests.engine.sounds import tone, write_silent_opus, write_sound

PATIENT = Limits(max_audio_s=14_400)
HALF_AN_HOUR_BYTES = 1800 * SAMPLE_RATE * 2


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_silent_opus(tmp_path_factory.mktemp("long") / "hour.ogg", 3600)


def frames(
    decoder: DecoderProcess, path: Path, limits: Limits = PATIENT, cancelled: threading.Event | None = None
) -> int:
    with path.open("rb") as source, TemporaryFile() as sink:
        decoded = decoder.decode(source, sink, limits, cancelled)
        return os.fstat(sink.fileno()).st_size // (2 * decoded.channels)


def processes_below(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    return [int(child) for child in children]


def decoder_of_this_process() -> int:
    return max(processes_below(os.getpid()), key=started_at)


def started_at(process: int) -> int:
    """Give when a process started, in ticks: numbers of processes begin again from below."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def test_samples_are_written_to_the_sink(decoder: DecoderProcess, tmp_path: Path) -> None:
    assert frames(decoder, write_sound(tmp_path / "a.wav", tone(1))) == SAMPLE_RATE


def test_a_fault_of_the_child_is_raised_in_the_parent(decoder: DecoderProcess, tmp_path: Path) -> None:
    with pytest.raises(AudioTooLong) as fault:
        frames(decoder, write_sound(tmp_path / "a.wav", tone(2)), Limits(max_audio_s=1))
    assert fault.value.params == {"limit_min": 0}


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_audio_s=14_400, cpu_s=1),
        Limits(max_audio_s=14_400, memory_bytes=1 << 20),
        Limits(max_audio_s=14_400, output_bytes=100_000),
    ],
    ids=["cpu", "memory", "output"],
)
def test_every_limit_holds(decoder: DecoderProcess, hour: Path, limits: Limits) -> None:
    with pytest.raises(DecodingLimitExceeded):
        frames(decoder, hour, limits)


def test_a_child_that_waits_too_long_is_ended_and_the_process_lives_on(decoder: DecoderProcess, tmp_path: Path) -> None:
    limits = Limits(max_audio_s=14_400, wall_s=0.1)
    with pipe() as (source, _), TemporaryFile() as sink, pytest.raises(DecodingLimitExceeded):
        decoder.decode(source, sink, limits)
    assert frames(decoder, write_sound(tmp_path / "a.wav", tone(1))) == SAMPLE_RATE


def crashing(parent: int, times: int) -> threading.Thread:
    """Let the decoder's child crash, and the one after it, and so on."""

    def crash() -> None:
        ended: set[int] = set()
        while len(ended) < times:
            for child in set(processes_below(parent)) - ended:
                os.kill(child, signal.SIGSEGV)
                ended.add(child)
            time.sleep(0.01)

    saboteur = threading.Thread(target=crash)
    saboteur.start()
    return saboteur


def test_a_child_that_crashes_twice_makes_the_file_unreadable(decoder: DecoderProcess) -> None:
    decoder.start()
    saboteur = crashing(decoder_of_this_process(), 2)
    with pipe() as (source, _), TemporaryFile() as sink, pytest.raises(AudioUnreadable):
        decoder.decode(source, sink, PATIENT)
    saboteur.join()


def test_a_file_is_decoded_again_after_one_crash(decoder: DecoderProcess, hour: Path) -> None:
    decoder.start()
    saboteur = crashing(decoder_of_this_process(), 1)
    assert frames(decoder, hour) == pytest.approx(3600 * SAMPLE_RATE, rel=0.001)
    saboteur.join()


@contextmanager
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give both ends of a pipe: who writes more than 64 KiB that nobody reads, or reads what nobody writes, waits."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as outlet, os.fdopen(writing, "wb") as inlet:
        yield outlet, inlet


def test_a_child_ends_when_it_is_cancelled(decoder: DecoderProcess, hour: Path) -> None:
    decoder.start()
    parent = decoder_of_this_process()
    cancelled = threading.Event()
    with hour.open("rb") as source, pipe() as (outlet, sink):

        def cancel() -> None:
            outlet.read(1)
            cancelled.set()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(Cancelled):
            decoder.decode(source, sink, PATIENT, cancelled)
        canceller.join()
        sink.close()
        assert len(outlet.read()) < HALF_AN_HOUR_BYTES, "the pipe ends with the child"
    assert decoder_of_this_process() == parent


def test_a_file_that_is_cancelled_before_it_starts_is_not_decoded(
    decoder: DecoderProcess, hour: Path, tmp_path: Path
) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with hour.open("rb") as source, pipe() as (outlet, sink):
        with pytest.raises(Cancelled):
            decoder.decode(source, sink, PATIENT, cancelled)
        assert frames(decoder, write_sound(tmp_path / "a.wav", tone(1))) == SAMPLE_RATE
        sink.close()
        assert len(outlet.read()) < HALF_AN_HOUR_BYTES, "the pipe ends with the child"


def test_an_event_that_is_never_set_changes_nothing(decoder: DecoderProcess, tmp_path: Path) -> None:
    assert frames(decoder, write_sound(tmp_path / "a.wav", tone(1)), cancelled=threading.Event()) == SAMPLE_RATE


def test_a_process_that_was_killed_is_started_again(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(1))
    frames(decoder, path)
    os.kill(decoder_of_this_process(), signal.SIGKILL)
    assert frames(decoder, path) == SAMPLE_RATE


def test_a_request_to_terminate_does_not_break_off_a_file(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", tone(1))
    frames(decoder, path)
    before = decoder_of_this_process()
    os.kill(before, signal.SIGTERM)
    assert frames(decoder, path) == SAMPLE_RATE
    assert decoder_of_this_process() == before


def test_threads_share_one_process(decoder: DecoderProcess, tmp_path: Path) -> None:
    paths = [write_sound(tmp_path / f"{seconds}.wav", tone(seconds)) for seconds in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        lengths = list(threads.map(lambda path: frames(decoder, path), paths))
    assert lengths == [SAMPLE_RATE * seconds for seconds in range(1, 9)]


def test_the_process_ends_when_it_is_closed(tmp_path: Path) -> None:
    decoder = DecoderProcess()
    frames(decoder, write_sound(tmp_path / "a.wav", tone(1)))
    process = decoder_of_this_process()
    decoder.close()
    assert not Path(f"/proc/{process}").exists()
