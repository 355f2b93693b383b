"""Choice between int8 and fp32: by the settings, by the processor, and by comparing the texts that both give.

Knows no network and no files: whatever transcribes is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel
from rapidfuzz.distance import Levenshtein

from engine.runtime.cpu import Int8Support

Precision = Literal["fp32", "int8", "int8-halved"]
"""The number type of an exported network's weights; "int8-halved" uses half of int8's range."""

Texts = Mapping[tuple[int, float], str]
"""The texts of recordings by (number of the recording, start of the chunk in seconds); silent chunks may be missing."""

MIN_AGREEMENT = 0.99
NO_SPEECH_TO_COMPARE = (
    "no speech was at hand to prove int8 with; `earshot models verify FOLDER` takes recordings of yours"
)


class Decision(BaseModel):
    """The precision that is used, and why. `agreement` is the share of characters that int8 gives as fp32 does."""

    precision: Precision
    reason: str
    agreement: float | None = None
    recordings: int = 0


def int8_variant(support: Int8Support) -> Precision:
    """Return the kind of int8 for a processor: halved weights unless it sums the products of full ones exactly."""
    return "int8" if support == "full" else "int8-halved"


def decide_without_proof(asked: str, support: Int8Support) -> Decision | None:
    """Decide where `engine.precision` or the processor leaves no choice; None where int8 has to prove itself."""
    if asked == "fp32":
        return Decision(precision="fp32", reason="engine.precision asks for it")
    if asked == "int8":
        return Decision(precision=int8_variant(support), reason="engine.precision asks for it")
    if support == "none":
        return Decision(precision="fp32", reason="this processor is not made for int8")
    return None


def prove(precision: Precision, transcribe: Callable[[Precision], Texts]) -> Decision:
    """Transcribe the same recordings in fp32 and in `precision`, and choose the latter where the texts agree."""
    expected, found = transcribe("fp32"), transcribe(precision)
    characters = sum(map(len, expected.values()))
    if characters == 0:
        return Decision(precision="fp32", reason=NO_SPEECH_TO_COMPARE)
    wrong = sum(Levenshtein.distance(expected.get(chunk, ""), found.get(chunk, "")) for chunk in {*expected, *found})
    agreement = max(0.0, 1 - wrong / characters)
    return Decision(
        precision=precision if agreement >= MIN_AGREEMENT else "fp32",
        reason=f"int8 reads {agreement:.1%} of {characters} characters as fp32 does; {MIN_AGREEMENT:.0%} are asked for",
        agreement=agreement,
        recordings=len({recording for recording, _ in expected}),
    )
