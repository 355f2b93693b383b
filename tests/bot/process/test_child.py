"""Real processes, kept running."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.process import child as children
from bot.process.child import CannotStart, Child

LIVES = """
import os, signal, sys, time, pathlib
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[1]).open("a").write("ended\\n"), os._exit(0)))
pathlib.Path(sys.argv[1]).open("a").write(f"{os.getpid()}\\n")
time.sleep(60)
"""
DEAF = LIVES.replace("os._exit(0)", "None")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.05)


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    """Where a child writes its process id, and that it ended."""
    return tmp_path / "diary"


def made(script: str, *arguments: object) -> Child:
    return Child("worker-1", ["-c", script, *map(str, arguments)], os.environ)


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what another process writes rings no bell
            await asyncio.sleep(0.02)


def lines(diary: Path) -> list[str]:
    return diary.read_text().split() if diary.exists() else []


@asynccontextmanager
async def kept(child: Child) -> AsyncIterator[asyncio.Task[None]]:
    keeping = asyncio.create_task(child.keep_running())
    try:
        yield keeping
    finally:
        child.kill()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_one_that_is_killed_is_started_again(diary: Path) -> None:
    async with kept(made(LIVES, diary)):
        await until(lambda: len(lines(diary)) == 1)
        os.kill(int(lines(diary)[0]), signal.SIGKILL)
        await until(lambda: len(lines(diary)) == 2)
        assert lines(diary)[0] != lines(diary)[1]


async def test_one_that_dies_by_signals_is_never_given_up(diary: Path) -> None:
    script = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write('x\\n'); os.kill(os.getpid(), 9)"
    async with kept(made(script, diary)) as keeping:
        await until(lambda: len(lines(diary)) > children.EARLY_ENDS)
        assert not keeping.done()


async def test_one_that_ends_quietly_is_started_again(diary: Path) -> None:
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write('x\\n')"
    async with kept(made(script, diary)) as keeping:
        await until(lambda: len(lines(diary)) > children.EARLY_ENDS)
        assert not keeping.done()


async def test_one_that_the_system_cannot_start_now_is_tried_again(
    diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(diary.parent / "no-such-python"))
        child = made(LIVES, diary)
        keeping = asyncio.create_task(child.keep_running())
        await asyncio.sleep(0.05 * 2**children.EARLY_ENDS)
        assert not keeping.done()
    await until(lambda: len(lines(diary)) == 1)
    await child.stop(within_s=20)
    await asyncio.wait_for(keeping, 20)


async def test_one_that_can_never_start_is_given_up_with_its_own_sentence(diary: Path) -> None:
    script = (
        "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write('x\\n');"
        "sys.exit('earshot: Telegram refuses the bot token.')"
    )
    with pytest.raises(CannotStart, match=r"^Telegram refuses the bot token\.$"):
        await asyncio.wait_for(made(script, diary).keep_running(), 30)
    assert len(lines(diary)) == children.EARLY_ENDS


async def test_one_that_says_nothing_is_given_up_by_name() -> None:
    with pytest.raises(CannotStart, match=r"worker-1 cannot start \(exit code 3\)"):
        await asyncio.wait_for(made("raise SystemExit(3)").keep_running(), 30)


async def test_wrong_usage_is_given_up_at_once(diary: Path) -> None:
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write('x\\n'); sys.exit(2)"
    with pytest.raises(CannotStart):
        await asyncio.wait_for(made(script, diary).keep_running(), 30)
    assert len(lines(diary)) == 1


async def test_stopping_is_graceful_and_final(diary: Path) -> None:
    child = made(LIVES, diary)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: len(lines(diary)) == 1)
    await child.stop(within_s=20)
    await asyncio.wait_for(keeping, 20)
    assert lines(diary)[1:] == ["ended"]


async def test_one_that_does_not_hear_is_killed(diary: Path) -> None:
    child = made(DEAF, diary)
    keeping = asyncio.create_task(child.keep_running())
    await until(lambda: len(lines(diary)) == 1)
    await child.stop(within_s=0.2)
    await asyncio.wait_for(keeping, 20)
    with pytest.raises(ProcessLookupError):
        os.kill(int(lines(diary)[0]), 0)


async def test_its_log_lines_pass_and_its_sentence_waits(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys; print('level=info event=up', file=sys.stderr); sys.exit('earshot: No token.')"
    with pytest.raises(CannotStart):
        await asyncio.wait_for(made(script).keep_running(), 30)
    passed = capfd.readouterr().err
    assert passed.count("level=info event=up\n") == children.EARLY_ENDS
    assert "earshot: No token." not in passed


def test_a_child_ends_when_its_parent_is_killed(diary: Path) -> None:
    """The parent is killed with -9, so that it cannot do anything about it."""
    watch = "from bot.process.parent_watch import stop_when_parent_exits; stop_when_parent_exits(); time."
    parent = f"""
import asyncio, os
from bot.process.child import Child
script = {LIVES.replace("time.", watch)!r}
asyncio.run(Child("worker-1", ["-c", script, {str(diary)!r}], os.environ).keep_running())
"""

    async def scene() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
        try:
            await until(lambda: len(lines(diary)) == 1)
        finally:
            process.kill()
            await process.wait()
        await until(lambda: lines(diary)[1:] == ["ended"])

    asyncio.run(scene())
