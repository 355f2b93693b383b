import pytest

from tests.bench import peak


def test_the_work_is_every_weight_once_for_every_row() -> None:
    assert peak.multiply_adds([6.0]) == pytest.approx(234e6 * 104)
    assert peak.multiply_adds([6.0, 6.0]) == pytest.approx(2 * 234e6 * 104)


def test_this_processor_multiplies_at_all() -> None:
    assert peak.measure_fp32() > 0
