from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import HotwordsUnreadable
from engine.hotwords import MAX_CHARACTERS, MAX_WORDS, read_hotwords, sanitised


def test_one_term_a_line_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# names\nEarshot\n  达摩院  # a place\n\nEarshot\nFun  ASR\n", encoding="utf-8-sig")
    assert read_hotwords(path) == ("Earshot", "达摩院", "Fun ASR")


@pytest.mark.parametrize(
    "term",
    [
        "http://127.0.0.1/x",
        "HTTPS://x",
        "httpd",
        "words.txt",
        "/etc/passwd",
        "..\\x",
        "C:x",
        "a" * 65,
        " ",
        "\x00\u200b",
    ],
)
def test_what_a_model_could_take_for_an_address_or_a_file_is_left_out(term: str) -> None:
    assert sanitised([term, "good"]) == ("good",)


@given(st.lists(st.text(), max_size=30))
def test_terms_are_clean_unique_and_stay_as_they_are(terms: list[str]) -> None:
    result = sanitised(terms)
    assert len(set(result)) == len(result)
    assert sanitised(result) == result
    for term in result:
        assert 0 < len(term) <= MAX_CHARACTERS
        assert "/" not in term
        assert "\n" not in term
        assert not term.lower().startswith("http")


def test_too_many_terms_are_cut_off() -> None:
    assert len(sanitised(str(number) for number in range(10_000))) == MAX_WORDS


def test_broken_text_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"good\n\xff\xfebad\n")
    assert read_hotwords(path) == ("good", "bad")


def test_a_list_that_cannot_be_read_is_told_with_its_path_and_the_setting(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(HotwordsUnreadable, match=r"engine\.hotwords") as caught:
            read_hotwords(path)
        assert str(path) in str(caught.value)
