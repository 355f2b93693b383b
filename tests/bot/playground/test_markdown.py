import pytest
from aiogram.utils.text_decorations import markdown_decoration
from hypothesis import given, strategies as st

from bot.playground.entities import utf16_length
from bot.playground.markdown import parse_markdown
from bot.playground.old_markdown import parse_old_markdown
from bot.playground.refusals import Refusal

MARKS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\"), min_size=1)


@given(texts)
def test_quoted_text_comes_back_unchanged(text: str) -> None:
    assert parse_markdown(markdown_decoration.quote(text)) == (text, [])


@given(texts, texts, st.sampled_from(sorted(MARKS)))
def test_marks_cover_what_they_enclose(before: str, inside: str, mark: str) -> None:
    quote = markdown_decoration.quote
    text, entities = parse_markdown(f"{quote(before)}{mark}{quote(inside)}{mark}")
    assert text == before + inside
    assert [(one.type, one.offset, one.length) for one in entities] == [
        (MARKS[mark], utf16_length(before), utf16_length(inside))
    ]


@given(texts)
def test_whatever_comes_is_read_or_refused_in_telegrams_words(source: str) -> None:
    for parse in (parse_markdown, parse_old_markdown):
        try:
            parse(source)
        except Refusal as refusal:
            words = refusal.description
        else:
            continue
        assert words.startswith("Bad Request: can't parse entities: ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("é *x", "Can't find end of Bold entity at byte offset 3"),
        ("*_x*_", "Can't find end of Italic entity at byte offset 4"),
        ("```x", "Can't find end of Pre entity at byte offset 0"),
        ("[x](y", "Can't find end of a URL at byte offset 0"),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        (">*x\ny*", "Can't find end of Bold entity at byte offset 1"),
    ],
)
def test_faulty_marks_are_refused_in_telegrams_words(source: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_markdown(source)
    assert refused.value.description == f"Bad Request: can't parse entities: {words}"


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("*_x_*", "x", [("bold", 0, 1), ("italic", 0, 1)]),
        ("`a.b*c`", "a.b*c", [("code", 0, 5)]),
        ("```py\nx\n```", "x\n", [("pre", 0, 2)]),
        ("[🎉](https://e.org/\\))", "🎉", [("text_link", 0, 2)]),
        (">one\n>two\nafter", "one\ntwo\nafter", [("blockquote", 0, 7)]),
        (">one\n>two||", "one\ntwo", [("expandable_blockquote", 0, 7)]),
        (">one\n**>two", "one\ntwo", [("blockquote", 0, 3), ("blockquote", 4, 3)]),
        ("||s||", "s", [("spoiler", 0, 1)]),
        ("![👍](tg://emoji?id=5368324170671202286)", "👍", [("custom_emoji", 0, 2)]),
    ],
)
def test_the_marks_of_the_bot_api(source: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    plain, found = parse_markdown(source)
    assert (plain, [(one.type, one.offset, one.length) for one in found]) == (text, entities)


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("*b* _i_ `c`", "b i c", [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1)]),
        ("a. b! \\_", "a. b! _", []),
        ("🎉[x](http://e.org)", "🎉x", [("text_link", 2, 1)]),
        ("```x```", "x", [("pre", 0, 1)]),
    ],
)
def test_the_first_markdown(source: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    plain, found = parse_old_markdown(source)
    assert (plain, [(one.type, one.offset, one.length) for one in found]) == (text, entities)


@pytest.mark.parametrize("source", ["a *b", "a [b", "a [b](c", "a `b"])
def test_the_first_markdown_wants_its_ends(source: str) -> None:
    with pytest.raises(Refusal, match="Can't find end of the entity starting at byte offset 2"):
        parse_old_markdown(source)
