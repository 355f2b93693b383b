import logging
import random
import warnings

import numpy as np
import pytest

from engine.recognizers.funasr_isolation import isolated_process_state


def test_random_states_are_restored() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the one that a vendor reseeds
    expected = [random.random() for _ in range(2)], np.random.rand(2).tolist()  # noqa: NPY002, S311 - as above
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - as above
    first = random.random(), np.random.rand()  # noqa: NPY002, S311 - as above
    with isolated_process_state():
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 - as above
    second = random.random(), np.random.rand()  # noqa: NPY002, S311 - as above
    assert ([first[0], second[0]], [first[1], second[1]]) == expected


def misbehave() -> None:
    logging.basicConfig(level=logging.DEBUG, force=True)
    warnings.filterwarnings("ignore")
    warnings.warn("not to be seen", stacklevel=1)
    raise ZeroDivisionError


def test_logging_and_warnings_are_restored_even_after_a_failure() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, warnings.filters[:]
    with pytest.raises(ZeroDivisionError), isolated_process_state():
        misbehave()
    assert (root.handlers[:], root.level, warnings.filters[:]) == before


def test_the_vendor_s_records_are_dropped_and_ours_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    with isolated_process_state():
        pass
    for path in ("/x/site-packages/funasr/auto/auto_model.py", "/x/site-packages/earshot/worker.py"):
        logging.getLogger().handle(logging.LogRecord("root", logging.ERROR, path, 1, f"from {path}", (), None))
    assert [record.pathname for record in caplog.records] == ["/x/site-packages/earshot/worker.py"]
