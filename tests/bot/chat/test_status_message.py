"""The status reply's words and its pace."""

import pytest

from bot.chat.status_message import (
    CANCEL,
    DELETE,
    KEEP,
    OPEN,
    RETRY,
    EditThrottle,
    NoteButton,
    progress_text,
    queued_text,
)


def test_an_unknown_place_is_not_named() -> None:
    assert queued_text(0, 0.0) == "In the queue."
    assert queued_text(3, 45) == "In the queue, place 3, about 45 s"


def test_it_is_never_complete_before_the_text_is_there() -> None:
    assert progress_text(0.404) == "Transcribing… 40 %"
    assert progress_text(1.0) == "Transcribing… 99 %"


@pytest.mark.parametrize(("chat_id", "pace_s"), [(1, 3), (-1, 6)])
def test_a_status_changes_no_faster_than_its_chat_bears(chat_id: int, pace_s: int) -> None:
    now = 0.0
    pace = EditThrottle(clock=lambda: now)
    assert pace.is_due(chat_id, "10 %")
    now = pace_s - 0.1
    assert not pace.is_due(chat_id, "20 %")
    now = float(pace_s)
    assert not pace.is_due(chat_id, "10 %"), "nothing new"
    assert pace.is_due(chat_id, "20 %")


@pytest.mark.parametrize("action", [CANCEL, RETRY, OPEN, DELETE, KEEP])
def test_a_button_fits_into_telegrams_64_bytes(action: str) -> None:
    assert len(NoteButton(action=action, note_id="f" * 16).pack().encode()) <= 64
