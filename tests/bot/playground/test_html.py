import pytest
from aiogram.utils.text_decorations import html_decoration
from hypothesis import given, strategies as st

from bot.playground.api_errors import ApiError
from bot.playground.entities import utf16_length
from bot.playground.html import parse_html

TAGS = {"b": "bold", "i": "italic", "u": "underline", "s": "strikethrough", "tg-spoiler": "spoiler"}
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts)
def test_quoted_text_comes_back_unchanged(text: str) -> None:
    assert parse_html(html_decoration.quote(text)) == (text, [])


@given(texts, texts, texts, st.sampled_from(sorted(TAGS)))
def test_a_tag_covers_what_it_encloses(before: str, inside: str, after: str, tag: str) -> None:
    quote = html_decoration.quote
    text, entities = parse_html(f"{quote(before)}<{tag}>{quote(inside)}</{tag}>{quote(after)}")
    assert text == before + inside + after
    assert [(one.type, one.offset, one.length) for one in entities] == [
        (TAGS[tag], utf16_length(before), utf16_length(inside))
    ]


@given(st.lists(st.sampled_from(sorted(TAGS)), unique=True), texts)
def test_tags_nest(tags: list[str], text: str) -> None:
    opening = "".join(f"<{tag}>" for tag in tags)
    closing = "".join(f"</{tag}>" for tag in reversed(tags))
    plain, entities = parse_html(opening + html_decoration.quote(text) + closing)
    assert plain == text
    assert {one.type for one in entities} == {TAGS[tag] for tag in tags}
    assert all(one.extract_from(plain) == text for one in entities)


@given(st.text("<>/=&#;x'\" abp", max_size=12))
def test_whatever_comes_is_read_or_refused_in_telegrams_words(source: str) -> None:
    try:
        parse_html(source)
    except ApiError as error:
        words = error.description
    else:
        return
    assert words.startswith("Bad Request: can't parse entities: ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("é<p>x</p>", 'Unsupported start tag "p" at byte offset 2'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a <", "Unclosed start tag at byte offset 2"),
        ("1 < 2 > 1", 'Unsupported start tag "" at byte offset 2'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<a href=x", "Unclosed start tag at byte offset 0"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a ='x'>y</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x/y>z</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji emoji-id='no'>x</tg-emoji>", "Invalid custom emoji identifier specified"),
    ],
)
def test_faulty_markup_is_refused_in_telegrams_words(source: str, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_html(source)
    assert refused.value.description == f"Bad Request: can't parse entities: {words}"


@pytest.mark.parametrize(
    ("source", "kind", "extra"),
    [
        ("<strong>x</strong>", "bold", {}),
        ("<EM>x</EM>", "italic", {}),
        ('<span class="tg-spoiler">x</span>', "spoiler", {}),
        ("<blockquote>x</blockquote>", "blockquote", {}),
        ("<blockquote expandable>x</blockquote>", "expandable_blockquote", {}),
        ("<code>x</code>", "code", {"language": None}),
        ('<code class="language-py">x</code>', "code", {"language": None}),
        ("<pre>x</pre>", "pre", {"language": None}),
        ('<pre><code class="language-py">x</code></pre>', "pre", {"language": "py"}),
        ("<a href='https://e.org/?a=1&amp;b=2'>x</a>", "text_link", {"url": "https://e.org/?a=1&b=2"}),
        ("<a href='tg://user?id=7'>x</a>", "text_mention", {}),
        ("<tg-emoji emoji-id='5368324170671202286'>x</tg-emoji>", "custom_emoji", {}),
        ("<b>x</>", "bold", {}),
    ],
)
def test_the_tags_of_the_bot_api(source: str, kind: str, extra: dict[str, str | None]) -> None:
    text, entities = parse_html(source)
    assert (text, [one.type for one in entities]) == ("x", [kind])
    assert {name: getattr(entities[0], name) for name in extra} == extra


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&lt;&gt;&amp;&quot;", '<>&"'),
        ("&#65;&#x1F389;", "A🎉"),
        ("&nbsp;&", "&nbsp;&"),
        ("&lt", "<"),
        ("&#0;", "&#0;"),
    ],
)
def test_character_references(source: str, text: str) -> None:
    assert parse_html(source) == (text, [])


def test_an_address_that_is_none_stays_text() -> None:
    assert parse_html("<a href='nonsense'>x</a>") == ("x", [])


def test_empty_tags_leave_no_entity() -> None:
    assert parse_html("a<b></b>c") == ("ac", [])
