"""Writes README.md's tree: a line for each file, taken from the file's own first line. `--check` only compares."""

import ast
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
README = TOP / "README.md"
BEGIN, END = "<!-- tree: written by .ci/tree.py -->\n```text\n", "```\n<!-- /tree -->\n"
ROOMS = ("bot", "jobs", "storage", "engine")
OTHERS = {
    "settings.toml": "every setting, with a comment and its default",
    "Makefile": "all that is typed: make demo, test, run, check",
    "pyproject.toml": "what is needed, and how the tools are set",
    ".ci/": "set-up: the lock, how it is installed and renewed",
    "hotwords/": "lists of words that recognition should favour",
    "systemd/": "units: all in one, or bot and workers apart",
    "docs/decisions/": "why it is built as it is",
    "tests/": "mirrors the rooms; tests/end_to_end starts real processes",
}
WIDTH = 30


def tree() -> str:
    """Give the whole tree."""
    parts = [block(room) for room in ROOMS] + [line(path, says) for path, says in OTHERS.items()]
    return BEGIN + "".join(parts) + END


def block(room: str) -> str:
    """Give the lines of a room: itself, and what is in it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"{room}/*.py"],
        cwd=TOP, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    modules = sorted(path for path in listed if is_shown(path))
    head = line(f"{room}/", first_sentence(TOP / room / "__init__.py"))
    return head + "".join(line(f"  {path.removeprefix(f'{room}/')}", first_sentence(TOP / path)) for path in modules)


def is_shown(path: str) -> bool:
    """Leave out what only marks a folder, and what a tool numbers."""
    return not path.endswith("__init__.py") and "/versions/" not in path and (TOP / path).exists()


def first_sentence(path: Path) -> str:
    """Give the first sentence of a module's description."""
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0].replace("\n", " ")
    return said.partition(". ")[0].rstrip(".")


def line(path: str, says: str) -> str:
    """Give a line of the tree."""
    return f"{path:{WIDTH}} {says}\n"


def main() -> int:
    """Write the tree into the README, or tell whether it is there."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    new = before + tree() + rest.partition(END)[2]
    if "--check" in sys.argv:
        if new != text:
            sys.stderr.write("The tree in README.md is not up to date. Run: .venv/bin/python .ci/tree.py\n")
        return int(new != text)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
