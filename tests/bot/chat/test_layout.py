"""How a transcript is laid out and split."""

import re
from html.parser import HTMLParser

from hypothesis import given, settings, strategies as st

from bot.chat.layout import MESSAGE_UNITS, MOST_MESSAGES, clock_text, has_text, plain_text, render_reply, split
from engine.transcript import Segment, Transcript
from tests.bot.tdlib import ask_tdlib

WORDS = st.text(st.sampled_from("aé 。\uff0c.,!? 字👍🏽🇩🇪\u0301\u200d\n<&>"), max_size=400)
NOTICE = "The whole text is in the file below."


def transcript(*texts: str, speakers: tuple[str | None, ...] = ()) -> Transcript:
    segments = [
        Segment(start=i, end=i + 1, text=text, speaker=speakers[i] if speakers else None)
        for i, text in enumerate(texts)
    ]
    return Transcript(language="en", duration=len(texts), segments=tuple(segments), model="m")


def label(segment: Segment) -> str:
    return segment.speaker or ""


class Reader(HTMLParser):
    """Reads a message as Telegram does: the plain text, and what is bold in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.bold: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "i"}
        assert attrs == []
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "b" in self.open:
            self.bold.append(data)


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(WORDS, st.integers(4, 60))
def test_splitting_loses_no_character_and_keeps_the_limit(text: str, limit: int) -> None:
    pieces = [text[piece.start : piece.stop] for piece in split(text, limit)]
    assert without_space("".join(pieces)) == without_space(text)
    assert all(0 < utf16_units(piece) <= limit for piece in pieces)
    assert all(piece == piece.strip() for piece in pieces)


@settings(deadline=None, max_examples=100)  # long texts take a while
@given(st.lists(WORDS, min_size=1, max_size=6), st.booleans())
def test_a_warning_stands_in_italics_below_all(texts: list[str], is_long: bool) -> None:  # noqa: FBT001 - hypothesis's
    said = transcript(*texts, "word " * (4000 if is_long else 1))
    reply = render_reply(said, label, NOTICE, "Much is missing.")
    read = [Reader(message) for message in reply.messages]
    assert read[-1].text.endswith("\n\n" + f"{NOTICE} " * reply.needs_document + "Much is missing.")
    assert reply.messages[-1].endswith("Much is missing.</i>")
    assert reply.needs_document == is_long
    assert all(utf16_units(one.text) <= MESSAGE_UNITS for one in read)


def test_a_piece_is_as_long_as_the_limit_in_utf16_units_allows() -> None:
    assert split("🎉" * 5, 5) == [range(2), range(2, 4), range(4, 5)]
    assert split("x🎉" * 3, 6) == [range(4), range(4, 6)]
    assert split("🎉🎉", 1) == [range(1), range(1, 2)], "a piece is never empty"


@given(st.lists(st.tuples(WORDS, st.sampled_from(["1", "2", "A & <B>"])), max_size=6))
def test_messages_are_valid_html_and_hold_every_character(turns: list[tuple[str, str]]) -> None:
    said = transcript(*(text for text, _ in turns), speakers=tuple(name for _, name in turns))
    reply = render_reply(said, label, NOTICE)
    read = [Reader(message) for message in reply.messages]
    assert all(utf16_units(one.text) <= MESSAGE_UNITS for one in read)
    assert len(read) <= MOST_MESSAGES
    if not reply.needs_document:
        assert without_space("".join(one.text for one in read)) == without_space(plain_text(said, label))


def test_a_split_falls_behind_a_sentence() -> None:
    text = "First comes this. Then comes that, and more of it"
    assert [text[piece.start : piece.stop] for piece in split(text, 30)] == [
        "First comes this.",
        "Then comes that,",
        "and more of it",
    ]


def test_chinese_is_split_behind_its_own_full_stop() -> None:
    text = "今天天气很好。我们去公园吧、好不好呀"
    assert [text[piece.start : piece.stop] for piece in split(text, 10)] == [
        "今天天气很好。",
        "我们去公园吧、",
        "好不好呀",
    ]


def test_what_is_drawn_as_one_stays_together() -> None:
    family = "👨\u200d👩\u200d👧"
    text = "x" * 7 + family
    assert [text[piece.start : piece.stop] for piece in split(text, 10)] == ["x" * 7, family]


def test_a_single_voice_has_no_label() -> None:
    assert render_reply(transcript("hi", "ho", speakers=("1", "1")), label, NOTICE).messages == ("hi ho",)


def test_voices_are_labelled_when_there_are_several() -> None:
    reply = render_reply(transcript("hi", "so?", "ho", speakers=("A", "A", "B")), label, NOTICE)
    assert reply.messages == ("<b>A</b>\nhi so?\n\n<b>B</b>\nho",)


def test_a_text_of_four_messages_comes_in_four() -> None:
    reply = render_reply(transcript("word. " * 2500), label, NOTICE)
    assert (len(reply.messages), reply.needs_document) == (4, False)


def test_a_longer_text_comes_as_a_document_with_its_beginning() -> None:
    reply = render_reply(transcript("word. " * 3000), label, NOTICE)
    (message,) = reply.messages
    assert reply.needs_document
    assert message.startswith("word. word.")
    assert message.endswith(f"<i>{NOTICE}</i>")


def test_silence_has_no_text() -> None:
    assert not has_text(transcript())
    assert not has_text(transcript(" \n"))
    assert has_text(transcript("", "a"))


def timed(*spoken: tuple[float, str], speakers: tuple[str | None, ...] = (), duration: float = 4000) -> Transcript:
    segments = [
        Segment(start=start, end=start + 1, text=text, speaker=speakers[i] if speakers else None)
        for i, (start, text) in enumerate(spoken)
    ]
    return Transcript(language="en", duration=duration, segments=tuple(segments), model="m")


def test_a_longer_recording_has_paragraphs_that_begin_with_their_time() -> None:
    said = timed((0.4, "One."), (29.9, "Two."), (42.9, "Three."), (50, "Four."), (3725, "Five."))
    assert plain_text(said, label) == "0:00 One. Two.\n\n0:42 Three. Four.\n\n1:02:05 Five.\n"


def test_a_short_recording_has_no_times() -> None:
    assert plain_text(timed((0, "One."), (42, "Two."), duration=59.9), label) == "One. Two.\n"


def test_turns_of_a_longer_recording_have_their_times_beside_their_speakers() -> None:
    said = timed((0, "Hello."), (4.2, "Hi."), (65, "So."), speakers=("A", "B", "B"), duration=70)
    (message,) = render_reply(said, label, NOTICE).messages
    assert message == "<b>A</b> 0:00\nHello.\n\n<b>B</b> 0:04\nHi. So."


def test_the_times_are_those_that_telegram_turns_into_links() -> None:
    said = timed(*((float(start), "Word, word.") for start in range(0, 4000, 31)), duration=4100)
    found: list[str] = []
    for message in render_reply(said, label, NOTICE).messages:
        text = Reader(message).text
        for entity in ask_tdlib("getTextEntities", text=text)["entities"]:
            assert entity["type"]["@type"] == "textEntityTypeMediaTimestamp"
            found.append(text[entity["offset"] : entity["offset"] + entity["length"]])
    assert found == [clock_text(start) for start in range(0, 4000, 31)]
