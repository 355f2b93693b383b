"""Compares the HTML parser with TDLib's own, which the Bot API server uses. TDLib needs no network for this."""

import pytest
from aiogram.types import MessageEntity
from hypothesis import example, given, settings, strategies as st

from bot.playground.api_errors import ApiError
from bot.playground.html import ENTITY_TYPES, parse_html
from tests.bot.tdlib import ask_tdlib


@pytest.fixture(autouse=True, scope="module")
def quiet() -> None:
    ask_tdlib("setLogVerbosityLevel", new_verbosity_level=0)


Parsed = tuple[str, list[tuple[str, int, int, str]]]

TEXTS = st.lists(
    st.sampled_from([
        *"ab é中🎉\n\t>=/'\"&", "👨\u200d💻", "&lt;", "&gt", "&amp;", "&quot;", "&#65;", "&#x1F389;", "&#X41", "&#0;",
        "&#xD83C;", "&#1114111;", "&#00000065;", "&#x0000041;", "&nbsp;", "&ampx;", "&#x;",
    ]),
    max_size=4,
).map("".join)  # fmt: skip
ATTRIBUTES = {
    "span": [' class="tg-spoiler"', " class=TG-SPOILER", " CLASS='tg-spoiler'", ' class="x"', ""],
    "code": ["", ' class="language-py"', " class='language-c++'", " class=language-Rust", ' class="language-"'],
    "pre": ["", ' class="language-py"'],
    "blockquote": ["", " expandable", " x expandable=''", " EXPANDABLE"],
    "a": [' href="https://e.org/?a=1&amp;b=2"', " href='e.org'", " href=nonsense", ' href="tg://user?id=7"', ""],
    "tg-emoji": [' emoji-id="5368324170671202286"', " emoji-id='no'", " emoji-id=-3", " emoji-id=0", ""],
    "tg-time": [' unix="5"', ' unix=1647531900 format="r"', " unix=5x format=wDT", " unix=0", " unix=5 format=rt", ""],
}
ODD_ATTRIBUTES = [" x", " x=y", " x = 'y'", ' x="y"z', " =", " 'x'", " x=", " x=y/z", " x=é", "  ", "/", "\v", "\f"]
DAMAGE = ["", "<", "</", ">", "=", "'", '"', "&", "/", " ", "</b>", "<b>", "<p>", "</>", "<!--", "<br/>", "é", "İ"]


@st.composite
def element(draw: st.DrawFn, inside: st.SearchStrategy[str]) -> str:
    name = draw(st.sampled_from(sorted(ENTITY_TYPES)))
    attributes = draw(st.sampled_from(ATTRIBUTES.get(name, ["", " x='y'"])) | st.sampled_from(ODD_ATTRIBUTES))
    end = draw(st.sampled_from([name, name, name, name.upper(), f"{name} ", "", f"{name} x"]))
    return f"<{name}{attributes}>{draw(inside)}</{end}>{draw(TEXTS)}"


block = st.builds(
    "<{0}>{1}</{0}>".format,
    st.sampled_from(["pre", "pre", "b"]),
    st.builds("<code{}>{}</code>".format, st.sampled_from(ATTRIBUTES["code"]), TEXTS),
)
sound = st.recursive(
    TEXTS | block, lambda inside: st.builds("{}{}{}".format, TEXTS, element(inside), inside), max_leaves=6
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Cut something out, or put something in; not within the address of a link, of which more is known to TDLib."""
    source = draw(sound.filter(lambda whole: "href" not in whole))
    begin = draw(st.integers(0, len(source)))
    end = draw(st.integers(begin, min(begin + 3, len(source))) | st.just(len(source)))
    return source[:begin] + draw(st.sampled_from(DAMAGE)) + source[end:]


@settings(max_examples=300)
@given(sound | damaged())
@example("<b x='")
@example("<code class='language-py'><pre>x</pre></code>")
@example("<code class='language-a'><pre><code class='language-b'>x</code></pre></code>")
@example("&#55357;&#56832;")
@example("&#xD800;<b>")
def test_html_is_parsed_and_refused_as_tdlib_does(source: str) -> None:
    assert by_the_playground(source) == by_tdlib(source)


def by_the_playground(source: str) -> Parsed | str:
    try:
        text, entities = parse_html(source)
    except ApiError as error:
        return error.description.removeprefix("Bad Request: ")
    return text, [(one.type, one.offset, one.length, detail(one)) for one in entities]


def detail(entity: MessageEntity) -> str:
    user = entity.user.id if entity.user else None
    return str(entity.language or entity.url or user or entity.custom_emoji_id or entity.unix_time or "")


def by_tdlib(source: str) -> Parsed | str:
    answer = ask_tdlib("parseTextEntities", text=source, parse_mode={"@type": "textParseModeHTML"})
    if answer["@type"] == "error":
        words: str = answer["message"]
        return words[0].lower() + words[1:]
    return answer["text"], [
        (name_of(entity["type"].pop("@type")), entity["offset"], entity["length"], tdlib_detail(entity["type"]))
        for entity in answer["entities"]
    ]


def tdlib_detail(kind: dict[str, object]) -> str:
    kind.pop("formatting_type", None)
    return "".join(map(str, kind.values()))


def name_of(kind: str) -> str:
    """Give the Bot API's name of a kind of entity."""
    names = {
        "TextUrl": "text_link", "MentionName": "text_mention", "PreCode": "pre", "BlockQuote": "blockquote",
        "ExpandableBlockQuote": "expandable_blockquote", "CustomEmoji": "custom_emoji", "DateTime": "date_time",
    }  # fmt: skip
    short = kind.removeprefix("textEntityType")
    return names.get(short, short.lower())
