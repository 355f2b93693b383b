import pytest

from engine.runtime.cpu import Int8Support
from engine.runtime.precision import Precision, Texts, decide_without_proof, int8_variant, prove

LONG = "and so my fellow americans ask not what your country can do for you ask what you can do for it " * 2


def read(exact: Texts, rounded: Texts) -> dict[Precision, Texts]:
    return {"fp32": exact, "int8": rounded}


@pytest.mark.parametrize("kind", ["full", "halved", "none"])
def test_what_is_set_needs_no_proof(kind: Int8Support) -> None:
    exact, rounded = decide_without_proof("fp32", kind), decide_without_proof("int8", kind)
    assert exact is not None
    assert rounded is not None
    assert (exact.precision, rounded.precision) == ("fp32", int8_variant(kind))


def test_weights_have_half_their_range_where_products_may_overflow() -> None:
    assert (int8_variant("full"), int8_variant("halved")) == ("int8", "int8-halved")


def test_a_processor_that_gains_nothing_takes_fp32_and_others_have_to_prove_int8() -> None:
    settled = decide_without_proof("auto", "none")
    assert settled is not None
    assert settled.precision == "fp32"
    assert decide_without_proof("auto", "full") is None
    assert decide_without_proof("auto", "halved") is None


def test_int8_is_taken_where_it_reads_the_same() -> None:
    texts = {(0, 0.5): LONG, (1, 0.0): "again"}
    decision = prove("int8", read(texts, texts | {(0, 0.5): LONG.replace("so", "sa", 1)}).__getitem__)
    assert decision.precision == "int8"
    assert decision.agreement == pytest.approx(1 - 1 / (len(LONG) + 5))
    assert decision.recordings == 2


@pytest.mark.parametrize("rounded", [{}, {(0, 0.0): LONG[:-4]}, {(0, 0.0): LONG, (0, 3.0): "what is not there"}])
def test_int8_is_refused_where_it_reads_less_or_more_or_otherwise(rounded: Texts) -> None:
    decision = prove("int8", read({(0, 0.0): LONG}, rounded).__getitem__)
    assert decision.precision == "fp32"
    assert "99%" in decision.reason


def test_silence_proves_nothing() -> None:
    assert prove("int8", read({}, {(0, 0.0): "?"}).__getitem__).precision == "fp32"
