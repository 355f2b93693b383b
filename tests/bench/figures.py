"""The figures of the contest: what each one measures, which contestants take part, and the goals."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bot.bench.process_usage import Usage
from bot.bench.speech_samples import draw_lengths
from bot.bench.speed import memory_growth
from engine.runtime.cpu import cpu_flags, int8_support
from tests.bench import peak
from tests.bench.config import Bench
from tests.bench.contest import Process, Run, Team
from tests.bench.contestants import automodel_as_in_readme, automodel_tuned, earshot, rivals
from tests.bench.report import Goal, GoalLine, at_least, at_most, percentile, ratio
from tests.bench.rounds import in_rounds, open_teams, sampled_usage
from tests.bench.voice_notes import write_notes
from tests.bench.worker_start import seconds_to_start

NOTE_S = 10.0
PIECE_S = 15.0
NOTE_READINGS = 5
LONG_PART = 6  # of the hour is read while short notes come

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


def many_notes(bench: Bench) -> Iterator[GoalLine]:
    """Many short voice notes that arrive together, and the memory of a worker meanwhile."""
    lengths = draw_lengths(bench.notes)
    files = write_notes(bench.recording, lengths, bench.work / "notes")
    ours = [earshot(bench, precision) for precision in bench.precisions]
    others = [automodel_tuned(bench), automodel_as_in_readme(bench)]
    peaks: list[float] = []
    with open_teams(bench, [*ours, *others]) as teams:
        loaded = {name: one.usage() for name, one in teams.items()}
        runs = in_rounds(bench, teams, files, lambda: peaks.append(peak.measure_fp32()))
        busy = {name: one.usage() for name, one in teams.items()}
    for name, made in runs.items():
        speed = sum(lengths) / statistics.median(run.wall_s for run in made)
        yield GoalLine(figure="many notes", what=name, value=speed, unit="s of sound a second")
    for our in ours:
        for other, goal in zip(others, (OVER_TUNED, OVER_README), strict=True):
            yield from _compared("many notes", our.name, other.name, runs, at_least(goal))
    if bench.device == "cpu":
        yield from _shares_of_peak(bench, lengths, runs, peaks)
        yield from _memory(bench, loaded, busy)


def _compared(figure: str, mine: str, other: str, runs: Mapping[str, list[Run]], goal: Goal) -> Iterator[GoalLine]:
    """Compare by the clock, and by processor time, which other programs on the machine disturb less."""
    what = f"{mine} over {other}"
    clock = ratio([run.wall_s for run in runs[other]], [run.wall_s for run in runs[mine]])
    yield GoalLine(figure=figure, what=what, value=clock, unit="times", goal=goal)
    if all(run.cpu_s > 0 for run in runs[mine]):
        processor = ratio([run.cpu_s for run in runs[other]], [run.cpu_s for run in runs[mine]])
        yield GoalLine(figure=figure, what=f"{what}, in processor time", value=processor, unit="times")


def _shares_of_peak(
    bench: Bench, lengths: list[float], runs: Mapping[str, list[Run]], peaks: Sequence[float]
) -> Iterator[GoalLine]:
    work = peak.multiply_adds(lengths)
    for precision in bench.precisions:
        gain = peak.GAINS[int8_support(cpu_flags())] if precision == "int8" else 1.0
        made = runs[earshot(bench, precision).name]
        share = statistics.median(work / run.wall_s / (gain * best) for run, best in zip(made, peaks, strict=True))
        what = f"share of this processor's {precision} peak"
        goal = at_least(SHARE_OF_PEAK) if precision == "int8" else None
        yield GoalLine(figure="many notes", what=what, value=share * 100, unit="%", goal=goal)


def _memory(bench: Bench, loaded: Mapping[str, Usage], busy: Mapping[str, Usage]) -> Iterator[GoalLine]:
    for precision in bench.precisions:
        name = earshot(bench, precision).name
        goals = (at_most(INT8_MB), at_most(INT8_LOADING_MB)) if precision == "int8" else (None, None)
        resident, highest = busy[name].resident_mb, loaded[name].peak_mb
        yield GoalLine(figure="memory", what=f"{name}, all cores busy", value=resident, unit="MB", goal=goals[0])
        what = f"{name}, highest while loading"
        yield GoalLine(figure="memory", what=what, value=highest, unit="MB", goal=goals[1])
    tuned = automodel_tuned(bench).name
    yield GoalLine(figure="memory", what=f"{tuned}, all cores busy", value=busy[tuned].resident_mb, unit="MB")


def one_note(bench: Bench) -> Iterator[GoalLine]:
    """One voice note of ten seconds, from file to text."""
    [note] = write_notes(bench.recording, [NOTE_S], bench.work / "one")
    ours = [earshot(bench, precision) for precision in bench.precisions]
    readme = automodel_as_in_readme(bench)
    others = rivals(bench) if bench.device == "cpu" else []
    with open_teams(bench, [*ours, readme, *others]) as teams:
        runs = in_rounds(bench, teams, [note], repeats=NOTE_READINGS)
    for name, made in runs.items():
        yield GoalLine(
            figure="one note", what=name, value=statistics.median(run.wall_s for run in made) * 1000, unit="ms"
        )  # fmt: skip
    for our in ours:
        yield from _compared("one note", our.name, readme.name, runs, at_least(ONE_OVER_README))
        for other in (other.name for other in others if other.name in runs):
            yield from _compared("one note", our.name, other, runs, at_least(ONE_OVER_RIVALS))


def one_hour(bench: Bench) -> Iterator[GoalLine]:
    """One long recording against short ones of the same total length, and short ones that come while it is read."""
    count = max(2, round(bench.hour_s / PIECE_S))
    pieces = write_notes(bench.recording, [PIECE_S] * count, bench.work / "pieces")
    [hour] = write_notes(bench.recording, [count * PIECE_S], bench.work / "hour")
    our = earshot(bench, bench.precisions[-1])
    with open_teams(bench, [our]) as teams:
        one = teams[our.name]
        one.transcribe(pieces[:2])
        bench.tell(f"  {our.name}: {count * PIECE_S:.0f} s in pieces, and as one recording")
        before = one.transcribe(pieces[: count // 2])
        with sampled_usage(one) as usage:
            whole = one.transcribe([hour])
        after = one.transcribe(pieces[count // 2 :])
        yield from _costs(our.name, whole, [before, after], usage)
        bench.tell(f"  {our.name}: short notes while a long one is read")
        yield from _between(bench, one, pieces[0])


def _costs(name: str, whole: Run, parts: list[Run], usage: list[Usage]) -> Iterator[GoalLine]:
    by_clock = whole.wall_s / sum(part.wall_s for part in parts)
    by_processor = whole.cpu_s / max(1e-9, sum(part.cpu_s for part in parts))
    yield GoalLine(
        figure="one hour", what=f"{name}: a second of it over one of 15 s pieces", value=by_clock, unit="times",
        goal=at_most(HOUR_OVER_PIECES),
    )  # fmt: skip
    yield GoalLine(figure="one hour", what=f"{name}: the same in processor time", value=by_processor, unit="times")
    yield GoalLine(
        figure="one hour", what=f"{name}: memory grows from its second to its last quarter",
        value=memory_growth(usage), unit="MB", goal=at_most(GROWTH_MB),
    )  # fmt: skip


def _between(bench: Bench, one: Team, short: Path) -> Iterator[GoalLine]:
    process = one.slots[0]
    alone = [_timed(process, short) for _ in range(NOTE_READINGS)]
    [long] = write_notes(bench.recording, [bench.hour_s / LONG_PART], bench.work / "long")
    meanwhile: list[float] = []
    reading = process.transcribe([long])
    while not reading.done():
        meanwhile.append(_timed(process, short))
    reading.result()
    value = percentile(meanwhile[:-1] or meanwhile, 0.5) / percentile(alone, 0.5)  # the last one may have had it all
    yield GoalLine(
        figure="one hour", what=f"{one.contestant.name}: a short note while it is read, over one alone", value=value,
        unit="times", goal=at_most(SHORT_WHILE_LONG),
    )  # fmt: skip


def start(bench: Bench) -> Iterator[GoalLine]:
    """The start of a worker with a prepared model, until it is ready for its first job."""
    for precision in bench.precisions:
        our = earshot(bench, precision)
        took = seconds_to_start(our.options, bench.work / f"worker-{precision}", bench.rounds)
        yield GoalLine(
            figure="start", what=f"{our.name}, until its first job", value=percentile(took, 0.5), unit="s",
            goal=at_most(START_S),
        )  # fmt: skip


FIGURES: dict[str, Callable[[Bench], Iterator[GoalLine]]] = {
    "notes": many_notes,
    "one": one_note,
    "hour": one_hour,
    "start": start,
}


def _timed(process: Process, file: Path) -> float:
    begun = time.perf_counter()
    process.transcribe([file]).result()
    return time.perf_counter() - begun
