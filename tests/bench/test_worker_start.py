from pathlib import Path

import pytest

from tests.bench.contest import ContestantFailed
from tests.bench.worker_start import seconds_to_start


def test_a_real_worker_starts_with_its_own_redis_and_ledger_and_not_the_owner_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARSHOT_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("EARSHOT_DATA_DIR", str(tmp_path / "owner"))
    [took] = seconds_to_start({"model": "fake"}, tmp_path / "bench", times=1)
    assert took > 0
    assert (tmp_path / "bench" / "earshot.db").exists()
    assert not (tmp_path / "owner").exists()


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ContestantFailed, match="no-such-model"):
        seconds_to_start({"model": str(tmp_path / "no-such-model")}, tmp_path / "bench", times=1)
