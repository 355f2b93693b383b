import platform
import sys

import pytest

from engine.runtime.cpu import Int8Support, cpu_flags, int8_support


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ({"sse4_2", "avx", "avx2", "avx512f", "avx512_vnni"}, "full"),
        ({"avx2", "avx_vnni"}, "full"),
        ({"fp", "asimd", "asimddp"}, "full"),
        ({"hw.optional.arm.FEAT_DotProd"}, "full"),
        ({"avx", "avx2", "avx512f"}, "halved"),
        ({"avx", "sse4_2"}, "none"),
        ({"fp", "asimd"}, "none"),
        (set(), "none"),
    ],
)
def test_what_a_processor_makes_of_int8(of: set[str], expected: Int8Support) -> None:
    assert int8_support(frozenset(of)) == expected


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="names of another processor")
def test_this_processor_tells_what_it_can() -> None:
    assert "sse2" in cpu_flags()
