import os
import signal
import subprocess
import sys

import pytest

from bot.bench.process_usage import PROC, Usage, descendants, usage_of

pytestmark = pytest.mark.skipif(not PROC.exists(), reason="only Linux tells")


def test_the_usage_of_what_is_gone_is_nothing() -> None:
    assert usage_of(2**22 + 1) == Usage()


def test_children_count_too() -> None:
    alone = usage_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "print('up'); input()"], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        both, its = usage_of(os.getpid()), usage_of(child.pid)
        child.kill()
    assert its.resident_mb > 1
    assert its.peak_mb >= its.resident_mb >= its.anonymous_mb > 0
    assert both.resident_mb >= alone.resident_mb + its.resident_mb / 2


def test_children_of_children_are_found() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], stdin=-1, stdout=-1) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        assert {shell.pid, child} <= set(descendants(os.getpid()))
        os.kill(child, signal.SIGKILL)
