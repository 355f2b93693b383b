"""The process of one contestant: opens it, says so, then reads the files that it is asked to, line by line.

Run by its path, and in need of nothing but Python, so that it works in any environment. Knows no contestant: that is a
file with a function `opened`, which takes the options and gives how many readings may run at once, and what reads.
"""

import json
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO


class Answers:
    """Where answers go: the standard output, of which what is loaded here gets nothing."""

    def __init__(self) -> None:
        """Take it, and let all that others print go to the log."""
        self._file: TextIO = os.fdopen(os.dup(1), "w")
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def tell(self, **answer: object) -> None:
        """Say one thing, in a line."""
        with self._lock:
            self._file.write(json.dumps(answer) + "\n")
            self._file.flush()


def answer(answers: Answers, read: Callable[[list[str]], list[str]], number: int, files: list[str]) -> None:
    """Read some files and tell the texts; one that fails ends the process, for then nothing can be compared."""
    try:
        answers.tell(number=number, texts=read(files))
    except BaseException:  # noqa: BLE001 - whatever it is, it is in the log
        traceback.print_exc()
        os._exit(1)


def main(contestant: str, options: str) -> None:
    """Open the contestant and answer until there are no more questions."""
    answers = Answers()
    at_once, read = runpy.run_path(contestant)["opened"](json.loads(options))
    with ThreadPoolExecutor(at_once) as pool:
        answers.tell(at_once=at_once)
        for line in sys.stdin:
            question = json.loads(line)
            pool.submit(answer, answers, read, question["number"], question["files"])


if __name__ == "__main__":
    main(*sys.argv[1:])
