import signal
import subprocess
import sys

import pytest

LOADING = """
import asyncio, time
from bot.process.signals import exit_on_signal_until_ready
exit_on_signal_until_ready()
async def load():
    print("loading", flush=True)
    await asyncio.to_thread(time.sleep, 60)
asyncio.run(load())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_still_loading_stops_at_once_and_without_error(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", LOADING], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "loading\n"
        program.send_signal(number)
        assert program.wait(10) == 0
