"""Decides in which arithmetic an exported model runs: by the processor, and by the proof that the texts stay the same.

Knows no network and no files: it is given what reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.runtime.cpu import Int8Support
from engine.runtime.export import Decision, Precision

MIN_AGREEMENT = 0.99
NO_SPEECH_TO_COMPARE = (
    "no speech was at hand to prove int8 with; `earshot models verify FOLDER` takes recordings of yours"
)

Texts = Mapping[tuple[int, float], str]
"""What was read in the piece of a recording that begins at a second; a piece without text may be left out."""

VARIANTS: dict[Int8Support, Precision] = {"full": "int8", "halved": "int8-halved", "none": "int8-halved"}


def int8_variant(int8: Int8Support) -> Precision:
    """Give the kind of int8 that suits a processor: halved weights where products of full ones may overflow."""
    return VARIANTS[int8]


def decide_without_proof(asked: str, int8: Int8Support) -> Decision | None:
    """Decide where nothing has to be proved: because it is set, or because the processor leaves no choice."""
    if asked == "fp32":
        return Decision(precision="fp32", reason="engine.precision asks for it")
    if asked == "int8":
        return Decision(precision=int8_variant(int8), reason="engine.precision asks for it")
    if int8 == "none":
        return Decision(precision="fp32", reason="this processor is not made for int8")
    return None


def prove(precision: Precision, read: Callable[[Precision], Texts]) -> Decision:
    """Read the same recordings in fp32 and in `precision`, and take the latter if the texts are the same."""
    exact, rounded = read("fp32"), read(precision)
    characters = sum(map(len, exact.values()))
    if characters == 0:
        return Decision(precision="fp32", reason=NO_SPEECH_TO_COMPARE)
    wrong = sum(differences(exact.get(piece, ""), rounded.get(piece, "")) for piece in {*exact, *rounded})
    agreement = max(0.0, 1 - wrong / characters)
    return Decision(
        precision=precision if agreement >= MIN_AGREEMENT else "fp32",
        reason=f"int8 reads {agreement:.1%} of {characters} characters as fp32 does; {MIN_AGREEMENT:.0%} are asked for",
        agreement=agreement,
        recordings=len({recording for recording, _ in exact}),
    )


def differences(reference: Sequence[str], found: Sequence[str]) -> int:
    """Count the characters, or the words of lists, to insert, delete or replace between two texts."""
    row = list(range(len(found) + 1))
    for position, wanted in enumerate(reference, start=1):
        diagonal, row[0] = row[0], position
        for column, got in enumerate(found, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (wanted != got))
    return row[-1]
