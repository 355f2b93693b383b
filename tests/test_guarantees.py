"""The tests that docs/guarantees.md names exist."""

import re
from pathlib import Path

from tests.storage.drawing import GUARANTEES

TEST = re.compile(r"def (test_\w+)")


def test_every_test_that_a_guarantee_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUARANTEES.read_text()))
    found = {name for path in Path(__file__).parent.rglob("test_*.py") for name in TEST.findall(path.read_text())}
    assert len(named) > 30
    assert named - found == set()
