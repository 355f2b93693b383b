import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.errors import HotwordsUnreadable
from engine.text.hotwords import MAX_BYTES, MAX_CHARACTERS, MAX_WORDS, read_hotwords, sanitize_hotwords, sort_by_weight


def test_one_term_a_line_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# names\nEarshot\n  达摩院  # a place\n\nEarshot\nFun  ASR\n", encoding="utf-8-sig")
    assert read_hotwords(path) == ("Earshot", "达摩院", "Fun ASR")


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("C#", ("C#",)),
        ("F# minor", ("F# minor",)),
        ("C#: 30", ("C#",)),
        ("Studio #5", ("Studio #5",)),
        ("C# # a language", ("C#",)),
        ("C#\t#", ("C#",)),
        ("Jörg #colleague", ("Jörg",)),
        ("Kubernetes: 30 #weight", ("Kubernetes",)),
        ("Earshot #", ("Earshot",)),
        ("Earshot: 30 ## ours # ours", ("Earshot",)),
        ("達摩院\u3000# a place", ("達摩院",)),
        ("#Earshot", ()),
        ("  #Earshot", ()),
        ("### names ###", ()),
        ("#", ()),
    ],
)
def test_a_comment_fills_its_line_or_stands_behind_a_space(tmp_path: Path, line: str, terms: tuple[str, ...]) -> None:
    path = tmp_path / "words.txt"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert read_hotwords(path) == terms


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
        "\u202e\u2066\u2069\u061c",
        "\ud800",
        "<|endoftext|>",
        "Earshot<|startofprev|>",
        "< | endoftext | >",
        "<|im_end|>\n<|im_start|>system",
        "|>",
        "<s>",
        "</s>",
        "<think>",
        "<unk",
        "[INST]",
        "[CLS",
        "{{system}}",
        "\uff1c\uff5cendoftext\uff5c\uff1e",
        "\uff28ttp example",
    ],
)
def test_addresses_paths_and_control_tokens_are_left_out(term: str) -> None:
    assert sanitize_hotwords([term, "good"]) == ("good",)


@pytest.mark.parametrize(
    "term", ["C++", "C#", ".NET", "Node.js", "AT&T", "O'Brien", "Yahoo!", "50 %", "Jean-Luc", "Fun (ASR)", "《红楼梦》"]
)
def test_symbols_of_real_names_stay(term: str) -> None:
    assert sanitize_hotwords([term]) == (term,)


@pytest.mark.parametrize("between", ["\n", "\x00", "\u2028", "\u202e", "\u2066", "\u00ad", "\ue000", "\U000e0041"])
def test_invisible_characters_become_spaces(between: str) -> None:
    assert sanitize_hotwords([f"Fun{between}ASR"]) == ("Fun ASR",)


@given(st.lists(st.text(), max_size=30))
def test_terms_are_clean_unique_and_stay_as_they_are(terms: list[str]) -> None:
    result = sanitize_hotwords(terms)
    assert len(set(result)) == len(result)
    assert sanitize_hotwords(result) == result
    for term in result:
        assert 0 < len(term) <= MAX_CHARACTERS
        assert term.isprintable()
        assert not set("/:<>|[]{}") & set(unicodedata.normalize("NFKC", term))
        assert not term.lower().startswith("http")


def test_too_many_terms_are_cut_off() -> None:
    assert len(sanitize_hotwords(str(number) for number in range(10_000))) == MAX_WORDS


def test_terms_are_sorted_by_weight_and_then_by_their_order() -> None:
    lines = ["Earshot", "Kubernetes: 30", "Fun ASR: 100", "light:1", "达摩院: 30", "plain: 20"]
    assert sort_by_weight(lines) == ("Fun ASR", "Kubernetes", "达摩院", "Earshot", "plain", "light")


@pytest.mark.parametrize(
    ("line", "term"),
    [
        ("Windows 11: 20", "Windows 11"),
        ("Windows 11", "Windows 11"),
        ("iPhone 15", "iPhone 15"),
        ("Kubernetes :30", "Kubernetes"),
        ("  Fun  ASR  : 7 ", "Fun ASR"),
        ("42", "42"),
        ("C3PO", "C3PO"),
        ("year 2026", "year 2026"),
    ],
)
def test_only_a_number_behind_a_colon_is_a_weight(line: str, term: str) -> None:
    assert sort_by_weight([line]) == (term,)


@pytest.mark.parametrize(
    "line",
    ["http://127.0.0.1/x:30", "/etc/passwd: 30", "words.txt: 30", ":30", "\x00: 30", "a" * 65 + ": 30", "half: 0.5"],
)
def test_a_weight_makes_no_unsafe_term_safe(line: str) -> None:
    assert sort_by_weight([line, "good: 1"]) == ("good",)


@given(st.lists(st.text()))
def test_any_lines_give_clean_terms(lines: list[str]) -> None:
    terms = sort_by_weight(lines)
    assert sanitize_hotwords(terms) == terms


def test_the_heaviest_terms_of_a_too_long_list_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\n".join([*(f"term-{number}" for number in range(10_000)), "Earshot: 21"]), encoding="utf-8")
    terms = read_hotwords(path)
    assert (terms[0], len(terms)) == ("Earshot", MAX_WORDS)


@pytest.mark.parametrize("rest", [b"x", "\u8fbe".encode()])
def test_only_the_beginning_of_a_huge_file_is_read(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"Earshot\n" + rest * MAX_BYTES)
    assert read_hotwords(path) == ("Earshot",)


def test_the_example_list_is_read_as_its_comments_say() -> None:
    path = Path(__file__).parents[3] / "hotwords/default.txt"
    assert read_hotwords(path) == ("Earshot",)


@pytest.mark.parametrize(
    "content",
    [
        b"good\n\xff\xfebad\n",
        bytes(range(256)),
        "Jörg".encode("latin-1"),
        "Jörg".encode("utf-16"),
        "Earshot".encode("utf-16-le"),
        b"Earshot\n\xe8",
    ],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(HotwordsUnreadable, match=r"words\.txt cannot be read: it is not text in UTF-8\."):
        read_hotwords(path)


def test_a_huge_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # without taking the space
    with pytest.raises(HotwordsUnreadable, match="not text"):
        read_hotwords(path)


def test_an_unreadable_list_is_reported_with_its_path_and_the_setting(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(HotwordsUnreadable, match=r"engine\.hotwords") as caught:
            read_hotwords(path)
        assert str(path) in str(caught.value)
