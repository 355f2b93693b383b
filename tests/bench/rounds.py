"""Lets teams transcribe the same files in rounds, so that all of them meet the same load of the machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bot.bench.process_usage import Usage
from tests.bench.config import Bench
from tests.bench.contest import Contestant, ContestantFailed, Run, Team, open_team

USAGE_EVERY_S = 0.5
SHARE_WITH_TEXT = 0.9


class TextMissing(Exception):
    """A contestant gave hardly any texts, so that its speed says nothing; `str()` names it."""


@contextmanager
def open_teams(bench: Bench, contestants: Sequence[Contestant]) -> Iterator[dict[str, Team]]:
    """Start all contestants of a figure; one that may fail is left out where it does not load."""
    with ExitStack() as stack:
        opened = {}
        for contestant in contestants:
            bench.tell(f"  opening {contestant.name}")
            try:
                opened[contestant.name] = stack.enter_context(open_team(contestant, bench.work))
            except ContestantFailed as reason:
                if not contestant.may_fail:
                    raise
                bench.tell(f"  {contestant.name} does not take part: {reason}")
        yield opened


def in_rounds(
    bench: Bench,
    teams: Mapping[str, Team],
    files: Sequence[Path],
    after_round: Callable[[], None] = lambda: None,
    *,
    repeats: int = 1,
) -> dict[str, list[Run]]:
    """Let all teams transcribe the same files, one team after the other, round by round, after warming up.

    Raises:
        TextMissing: a team gave hardly any text.
    """
    able = {name: one for name, one in teams.items() if _can_transcribe(bench, one, files[:1])}
    runs: dict[str, list[Run]] = {name: [] for name in able}
    for number in range(bench.rounds * repeats):
        for name, one in able.items():
            runs[name].append(one.transcribe(files))
            if (number + 1) % repeats == 0:
                bench.tell(f"  round {number // repeats + 1}: {name}: {runs[name][-1].wall_s:.1f} s")
        after_round()
    for name, made in runs.items():
        if sum(map(bool, made[0].texts)) < SHARE_WITH_TEXT * len(files):
            raise TextMissing(f"{name} found text in {sum(map(bool, made[0].texts))} of {len(files)} notes")
    return runs


def _can_transcribe(bench: Bench, one: Team, files: Sequence[Path]) -> bool:
    """Warm up every process of a team, and tell whether the team can transcribe at all."""
    try:
        one.transcribe(list(files) * len(one.slots))
    except ContestantFailed as reason:
        if not one.contestant.may_fail:
            raise
        bench.tell(f"  {one.contestant.name} does not take part: {reason}")
        return False
    return True


@contextmanager
def sampled_usage(one: Team) -> Iterator[list[Usage]]:
    """Sample what a team uses twice a second, and once more at the end."""
    seen: list[Usage] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(USAGE_EVERY_S):
            seen.append(one.usage())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.append(one.usage())
