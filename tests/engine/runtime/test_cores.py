import os

import pytest

from engine.runtime.cores import cores


def test_only_the_cores_that_this_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 2


@pytest.mark.parametrize(("counted", "known"), [(8, 8), (None, 1)])
def test_where_the_system_does_not_tell_that_all_cores_count(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, known: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cores() == known
