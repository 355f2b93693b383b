"""Runs `pip install` and says in a few lines how far it is: `pip_briefly.py "what is installed" ARGUMENTS…`."""

import re
import subprocess
import sys
import time
from collections import deque

LARGE_MB = 20
MB = 1_000_000
FILE = re.compile(r"(?:Downloading|Processing|Using cached) (?:\S*/)?([A-Za-z0-9_.]+)-\d")
BYTES = re.compile(r"Progress (\d+) of (\d+)")


class Progress:
    """What a person sees: one line that changes on a terminal, now and then a new line elsewhere."""

    def __init__(self, title: str) -> None:
        """Announce the step `title`."""
        self.title, self.file, self.terminal = title, "", sys.stdout.isatty()
        self.started = self.said = time.monotonic()
        self.say(f"  {title} ...")

    def say(self, text: str) -> None:
        """Put `text` in the place of the line before, or below it."""
        sys.stdout.write(f"\r\033[K{text}" if self.terminal else f"{text}\n")
        sys.stdout.flush()
        self.said = time.monotonic()

    def hear(self, line: str) -> None:
        """Take one line of pip's."""
        if found := FILE.match(line.strip()):
            self.file = found[1]
        elif found := BYTES.match(line):
            self.bytes_came(int(found[1]), int(found[2]))
        elif line.startswith("Installing collected packages"):
            self.say(f"  {self.title}: installing")

    def bytes_came(self, done: int, total: int) -> None:
        """Tell of a download that takes its time."""
        pause_s = 0.2 if self.terminal else 10
        if total >= LARGE_MB * MB and time.monotonic() - self.said >= pause_s:
            self.say(f"  {self.title}: downloading {self.file}, {done // MB} of {total // MB} MB")

    def end(self) -> None:
        """Close the step."""
        if self.terminal:
            self.say(f"  {self.title}: {time.monotonic() - self.started:.0f} s\n")


def main(title: str, *arguments: str) -> int:
    """Run pip; on failure show the last of what it said."""
    command = [sys.executable, "-m", "pip", "--no-color", "--disable-pip-version-check", "--no-input"]
    command += ["install", "--progress-bar", "raw", "--no-warn-script-location", *arguments]
    progress, last = Progress(title), deque[str](maxlen=15)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            progress.hear(line)
            if not line.startswith("Progress "):
                last.append(line)
    progress.end()
    if pip.returncode:
        sys.stderr.write(f"{''.join(last)}Installing {title} failed (pip's last words are above). Check the network ")
        sys.stderr.write("and the space on disk, then run the same command again: it goes on where it stopped.\n")
    return pip.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)  # whoever called was interrupted too, and says so
