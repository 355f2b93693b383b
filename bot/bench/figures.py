"""The figures: what each one measures, with whom, and its goal."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.bench import peak, sounds
from bot.bench.contest import Contestant, ContestantFailed, Process, Run, Team, team
from bot.bench.entrants import automodel_as_in_readme, automodel_tuned, earshot, rivals
from bot.bench.report import Goal, Line, at_least, at_most, percentile, ratio
from bot.bench.usage import Usage
from bot.bench.worker_start import seconds_to_start
from engine.runtime.cpu import cpu_flags, int8_support

NOTE_S = 10.0
PIECE_S = 15.0
SAMPLED_EVERY_S = 0.5
READS_OF_ONE = 5
LONG_PART = 6
TOLD = 0.9

# The goals.
OVER_TUNED, OVER_README = 6.0, 10.0
ONE_OVER_README, ONE_OVER_RIVALS = 6.0, 1.2
SHARE_OF_PEAK = 70
INT8_MB = 600
INT8_LOADING_MB = 1000
HOUR_OVER_PIECES = 1.1
GROWTH_MB = 30
SHORT_WHILE_LONG = 3.0
START_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that the figures need to know."""

    model: Path
    exported: Path
    models_dir: Path
    cache: Path
    work: Path
    speech: NDArray[np.int16]
    precisions: tuple[str, ...]
    device: str
    notes: int
    hour_s: float
    rounds: int
    without: frozenset[str]
    tell: Callable[[str], None]


class TextMissing(Exception):
    """A contestant gave no texts, so that its speed says nothing."""


def many_notes(bench: Bench) -> Iterator[Line]:
    """Many short voice notes that arrive together; and what a worker takes meanwhile."""
    lengths = sounds.lengths(bench.notes)
    files = sounds.write_notes(bench.speech, lengths, bench.work / "notes")
    entrants = [earshot(bench, precision) for precision in bench.precisions]
    others = [automodel_tuned(bench), automodel_as_in_readme(bench)]
    peaks: list[float] = []
    with teams(bench, [*entrants, *others]) as all_teams:
        loaded = {name: one.usage() for name, one in all_teams.items()}
        runs = in_turns(bench, all_teams, files, lambda: peaks.append(peak.measured_fp32()))
        busy = {name: one.usage() for name, one in all_teams.items()}
    for name, made in runs.items():
        speed = sum(lengths) / statistics.median(run.wall_s for run in made)
        yield Line(figure="many notes", what=name, value=speed, unit="s of sound a second")
    for entrant in entrants:
        for other, goal in zip(others, (OVER_TUNED, OVER_README), strict=True):
            yield from _compared("many notes", entrant.name, other.name, runs, at_least(goal))
    if bench.device == "cpu":
        yield from _shares_of_peak(bench, lengths, runs, peaks)
        yield from _memory(bench, loaded, busy)


def _compared(figure: str, mine: str, other: str, runs: Mapping[str, list[Run]], goal: Goal) -> Iterator[Line]:
    """Compare by the clock; and by processor time, which others on the same machine disturb less."""
    what = f"{mine} over {other}"
    clock = ratio([run.wall_s for run in runs[other]], [run.wall_s for run in runs[mine]])
    yield Line(figure=figure, what=what, value=clock, unit="times", goal=goal)
    if all(run.cpu_s > 0 for run in runs[mine]):
        processor = ratio([run.cpu_s for run in runs[other]], [run.cpu_s for run in runs[mine]])
        yield Line(figure=figure, what=f"{what}, in processor time", value=processor, unit="times")


def _shares_of_peak(
    bench: Bench, lengths: list[float], runs: Mapping[str, list[Run]], peaks: Sequence[float]
) -> Iterator[Line]:
    work = peak.multiply_adds(lengths)
    for precision in bench.precisions:
        gain = peak.GAINS[int8_support(cpu_flags())] if precision == "int8" else 1.0
        made = runs[earshot(bench, precision).name]
        share = statistics.median(work / run.wall_s / (gain * best) for run, best in zip(made, peaks, strict=True))
        what = f"share of this processor's {precision} peak"
        goal = at_least(SHARE_OF_PEAK) if precision == "int8" else None
        yield Line(figure="many notes", what=what, value=share * 100, unit="%", goal=goal)


def _memory(bench: Bench, loaded: Mapping[str, Usage], busy: Mapping[str, Usage]) -> Iterator[Line]:
    for precision in bench.precisions:
        name = earshot(bench, precision).name
        goals = (at_most(INT8_MB), at_most(INT8_LOADING_MB)) if precision == "int8" else (None, None)
        resident, highest = busy[name].resident_mb, loaded[name].peak_mb
        yield Line(figure="memory", what=f"{name}, all cores busy", value=resident, unit="MB", goal=goals[0])
        what = f"{name}, highest while loading"
        yield Line(figure="memory", what=what, value=highest, unit="MB", goal=goals[1])
    tuned = automodel_tuned(bench).name
    yield Line(figure="memory", what=f"{tuned}, all cores busy", value=busy[tuned].resident_mb, unit="MB")


def one_note(bench: Bench) -> Iterator[Line]:
    """One voice note of ten seconds, from its file to its text."""
    [note] = sounds.write_notes(bench.speech, [NOTE_S], bench.work / "one")
    entrants = [earshot(bench, precision) for precision in bench.precisions]
    readme = automodel_as_in_readme(bench)
    others = rivals(bench) if bench.device == "cpu" else []
    with teams(bench, [*entrants, readme, *others]) as all_teams:
        runs = in_turns(bench, all_teams, [note], repeats=READS_OF_ONE)
    for name, made in runs.items():
        yield Line(
            figure="one note", what=name, value=statistics.median(run.wall_s for run in made) * 1000, unit="ms"
        )  # fmt: skip
    for entrant in entrants:
        yield from _compared("one note", entrant.name, readme.name, runs, at_least(ONE_OVER_README))
        for other in (other.name for other in others if other.name in runs):
            yield from _compared("one note", entrant.name, other, runs, at_least(ONE_OVER_RIVALS))


def one_hour(bench: Bench) -> Iterator[Line]:
    """One long recording against short ones of the same length in all, and short ones that come while it is read."""
    count = max(2, round(bench.hour_s / PIECE_S))
    pieces = sounds.write_notes(bench.speech, [PIECE_S] * count, bench.work / "pieces")
    hour = bench.work / "hour.ogg"
    sounds.write_opus(hour, sounds.speech(bench.speech, count * PIECE_S))
    entrant = earshot(bench, bench.precisions[-1])
    with teams(bench, [entrant]) as all_teams:
        one = all_teams[entrant.name]
        one.read(pieces[:2])
        bench.tell(f"  {entrant.name}: {count * PIECE_S:.0f} s in pieces, and as one recording")
        before = one.read(pieces[: count // 2])
        with sampled_memory(one) as memory:
            whole = one.read([hour])
        after = one.read(pieces[count // 2 :])
        yield from _costs(entrant.name, whole, [before, after], memory)
        bench.tell(f"  {entrant.name}: short notes while a long one is read")
        yield from _between(bench, one, pieces[0])


def _costs(name: str, whole: Run, parts: list[Run], memory: list[float]) -> Iterator[Line]:
    by_clock = whole.wall_s / sum(part.wall_s for part in parts)
    by_processor = whole.cpu_s / max(1e-9, sum(part.cpu_s for part in parts))
    quarter = max(1, len(memory) // 4)
    growth = max(memory[-quarter:]) - max(memory[quarter : 2 * quarter] or memory[:quarter])
    yield Line(
        figure="one hour", what=f"{name}: a second of it over one of 15 s pieces", value=by_clock, unit="times",
        goal=at_most(HOUR_OVER_PIECES),
    )  # fmt: skip
    yield Line(figure="one hour", what=f"{name}: the same in processor time", value=by_processor, unit="times")
    yield Line(
        figure="one hour", what=f"{name}: memory grows from its second to its last quarter", value=growth, unit="MB",
        goal=at_most(GROWTH_MB),
    )  # fmt: skip


def _between(bench: Bench, one: Team, short: Path) -> Iterator[Line]:
    process = one.slots[0]
    alone = [_timed(process, short) for _ in range(READS_OF_ONE)]
    long = bench.work / "long.ogg"
    sounds.write_opus(long, sounds.speech(bench.speech, bench.hour_s / LONG_PART))
    meanwhile: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(process.read, [long])
        while not reading.done():
            meanwhile.append(_timed(process, short))
        reading.result()
    value = percentile(meanwhile[:-1] or meanwhile, 0.5) / percentile(alone, 0.5)  # the last one may have had it all
    yield Line(
        figure="one hour", what=f"{one.contestant.name}: a short note while it is read, over one alone", value=value,
        unit="times", goal=at_most(SHORT_WHILE_LONG),
    )  # fmt: skip


def start(bench: Bench) -> Iterator[Line]:
    """The start of a worker with a prepared model: from nothing until it can take its first job."""
    for precision in bench.precisions:
        entrant = earshot(bench, precision)
        with team(entrant, bench.work):  # which prepares the model
            pass
        took = seconds_to_start(entrant.options, bench.work / f"worker-{precision}", bench.rounds)
        yield Line(
            figure="start", what=f"{entrant.name}, until its first job", value=percentile(took, 0.5), unit="s",
            goal=at_most(START_S),
        )  # fmt: skip


FIGURES: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "notes": many_notes,
    "one": one_note,
    "hour": one_hour,
    "start": start,
}


@contextmanager
def teams(bench: Bench, contestants: Sequence[Contestant]) -> Iterator[dict[str, Team]]:
    """Open all contestants of a figure, those that do not have to be there if they can be opened."""
    with ExitStack() as stack:
        opened = {}
        for contestant in contestants:
            bench.tell(f"  opening {contestant.name}")
            try:
                opened[contestant.name] = stack.enter_context(team(contestant, bench.work))
            except ContestantFailed as reason:
                if not contestant.may_fail:
                    raise
                bench.tell(f"  {contestant.name} does not take part: {reason}")
        yield opened


def in_turns(
    bench: Bench,
    all_teams: Mapping[str, Team],
    files: Sequence[Path],
    beside: Callable[[], None] = lambda: None,
    *,
    repeats: int = 1,
) -> dict[str, list[Run]]:
    """Let all teams read the same files, one team after the other, round by round; the first few files to warm up.

    Raises:
        TextMissing: a team gave hardly any text.
    """
    able = {name: one for name, one in all_teams.items() if _is_able(bench, one, files[:1])}
    runs: dict[str, list[Run]] = {name: [] for name in able}
    for number in range(bench.rounds * repeats):
        for name, one in able.items():
            runs[name].append(one.read(files))
            if (number + 1) % repeats == 0:
                bench.tell(f"  round {number // repeats + 1}: {name}: {runs[name][-1].wall_s:.1f} s")
        beside()
    for name, made in runs.items():
        if sum(map(bool, made[0].texts)) < TOLD * len(files):
            raise TextMissing(f"{name} found text in {sum(map(bool, made[0].texts))} of {len(files)} notes")
    return runs


def _is_able(bench: Bench, one: Team, files: Sequence[Path]) -> bool:
    """Let every process of a team read something first, to warm up; and tell whether it can."""
    try:
        one.read(list(files) * len(one.slots))
    except ContestantFailed as reason:
        if not one.contestant.may_fail:
            raise
        bench.tell(f"  {one.contestant.name} does not take part: {reason}")
        return False
    return True


@contextmanager
def sampled_memory(one: Team) -> Iterator[list[float]]:
    """Look again and again at the memory that a team has to itself, without what is only mapped from files; in MB."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLED_EVERY_S):
            seen.append(one.usage().own_mb)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.append(one.usage().own_mb)


def recording(path: Path) -> NDArray[np.int16]:
    """Read the recording of speech that all sounds are made of."""
    from bot.bench.contestants.automodel import samples  # noqa: PLC0415 - only where a benchmark is made

    whole: NDArray[np.int16] = np.round(samples(str(path)) * (1 << 15)).astype(np.int16)
    return whole


def _timed(process: Process, file: Path) -> float:
    begun = time.perf_counter()
    process.read([file])
    return time.perf_counter() - begun
