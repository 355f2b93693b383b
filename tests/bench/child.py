"""The child process of one contestant: loads it, then transcribes the files that it reads on stdin, line by line.

Run by its path, and in need of nothing but Python, so that it works in any environment. Knows no contestant: that is a
file of `adapters` with a function `load`, which takes the options and gives how many calls may run at once, and the
function to call: paths in, texts out. Ends at once when stdin closes, also while it loads or transcribes: its parent is
gone then.
"""

import json
import os
import queue
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, TypedDict


class Call(TypedDict):
    """Files to transcribe, and the number that the answer is to have."""

    number: int
    files: list[str]


class Answers:
    """Writes answers to stdout; what else is printed here goes to stderr, the log."""

    def __init__(self) -> None:
        """Take stdout away from all others."""
        self._file: TextIO = os.fdopen(os.dup(1), "w")
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def write(self, **answer: object) -> None:
        """Write one answer, a line of JSON."""
        with self._lock:
            self._file.write(json.dumps(answer) + "\n")
            self._file.flush()


def read_calls(calls: "queue.SimpleQueue[Call]") -> None:
    """Read calls until stdin closes; then end this process and what it has started, a group of their own."""
    for line in sys.stdin:
        calls.put(json.loads(line))
    os.killpg(0, signal.SIGKILL)


def answer(answers: Answers, transcribe: Callable[[list[str]], list[str]], call: Call) -> None:
    """Transcribe some files and write the texts; an error ends the process, for then nothing can be compared."""
    try:
        answers.write(number=call["number"], texts=transcribe(call["files"]))
    except BaseException:  # noqa: BLE001 - whatever it is, it is in the log
        traceback.print_exc()
        os._exit(1)


def main(adapter: str, options: str) -> None:
    """Load the contestant and answer calls for as long as stdin is open."""
    calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
    threading.Thread(target=read_calls, args=(calls,), daemon=True).start()
    answers = Answers()
    at_once, transcribe = runpy.run_path(adapter)["load"](json.loads(options))
    with ThreadPoolExecutor(at_once) as pool:
        answers.write(at_once=at_once)
        while True:
            pool.submit(answer, answers, transcribe, calls.get())


if __name__ == "__main__":
    main(*sys.argv[1:])
