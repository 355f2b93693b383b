import pytest

from engine.errors import AudioTooLong, Fault, HubUnreachable, UnknownLanguage, fault_from


@pytest.mark.parametrize(
    "fault", [AudioTooLong(limit_min=5), UnknownLanguage(language="xx", known="en"), HubUnreachable(model="m")]
)
def test_a_fault_survives_as_code_and_params(fault: Fault) -> None:
    again = fault_from(fault.code, fault.params)
    assert type(again) is type(fault)
    assert str(again) == str(fault)


def test_an_unknown_code_is_a_plain_fault() -> None:
    assert type(fault_from("of tomorrow", {})) is Fault


def test_every_code_stands_for_one_kind_of_fault() -> None:
    codes = [kind.code for kind in all_kinds(Fault) if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)


def all_kinds(of: type[Fault]) -> list[type[Fault]]:
    return [of, *(kind for below in of.__subclasses__() for kind in all_kinds(below))]
