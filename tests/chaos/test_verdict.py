from dataclasses import replace

import pytest

from tests.chaos.verdict import Asked, Entry, Said, Verdict, judge, quantile, unexplained, unsettled

FIRST, SECOND = Asked(7, 1, "fake 1.0s aaaaaaaa"), Asked(7, 2, "fake 2.0s bbbbbbbb")
ELSEWHERE = Asked(8, 1, "fake 3.0s cccccccc")
NOTES = [FIRST, SECOND, ELSEWHERE]


def answer(note: Asked, message_id: int = 10, text: str | None = None) -> Said:
    return Said(note.chat_id, message_id, note.message_id, note.text if text is None else text)


def judged(*said: Said) -> tuple[int, int, int, int]:
    verdict = judge(NOTES, said)
    return len(verdict.lost), len(verdict.twice), len(verdict.wrong), len(verdict.stray)


def leftovers(*said: Said) -> int:
    return len(judge(NOTES, said).leftovers)


RIGHT = [answer(note) for note in NOTES]


def test_one_answer_each_is_right() -> None:
    assert judged(*RIGHT) == (0, 0, 0, 0)
    assert not judge(NOTES, RIGHT)


def test_a_note_without_an_answer_is_lost() -> None:
    verdict = judge(NOTES, RIGHT[1:])
    assert verdict
    assert verdict == Verdict(lost=[str(FIRST)])


def test_a_silent_bot_loses_all() -> None:
    assert judged() == (3, 0, 0, 0)


def test_two_answers_are_one_too_many() -> None:
    assert judge(NOTES, [*RIGHT, answer(FIRST, 11)]) == Verdict(twice=[str(FIRST)])


def test_the_text_of_another_note_is_wrong() -> None:
    assert judged(*RIGHT[1:], answer(FIRST, text=SECOND.text)) == (1, 0, 1, 0)


def test_the_right_text_in_another_chat_is_wrong() -> None:
    assert judged(*RIGHT, Said(8, 11, 1, FIRST.text)) == (0, 0, 1, 0)


def test_the_right_text_in_reply_to_nothing_is_wrong() -> None:
    assert judged(*RIGHT[1:], Said(7, 11, None, FIRST.text)) == (1, 0, 1, 0)


def test_a_sentence_of_failure_is_wrong() -> None:
    assert judged(*RIGHT[1:], answer(FIRST, text="This voice note could not be transcribed.")) == (1, 0, 1, 0)


@pytest.mark.parametrize("text", ["In the queue.", "In the queue, place 2, about 3 s", "Transcribing… 40 %", "…"])
def test_a_status_reply_that_is_left_beside_the_answer_is_counted_and_breaks_no_promise(text: str) -> None:
    said = [*RIGHT, answer(FIRST, 11, text)]
    assert leftovers(*said) == 1
    assert not judge(NOTES, said)


def test_a_status_reply_that_never_became_the_answer_is_left_over_and_the_note_lost() -> None:
    said = [*RIGHT[1:], answer(FIRST, text="In the queue.")]
    assert (judged(*said), leftovers(*said)) == ((1, 0, 0, 0), 1)


def test_a_status_reply_to_nothing_is_stray() -> None:
    assert judged(*RIGHT, Said(7, 11, None, "In the queue.")) == (0, 0, 0, 1)


def test_whatever_else_the_bot_says_is_stray() -> None:
    assert judged(*RIGHT, Said(9, 1, None, "This bot is private.")) == (0, 0, 0, 1)


KEPT = [Entry(note.chat_id, note.message_id, "done", is_delivered=True, text=note.text) for note in NOTES]


def test_a_ledger_with_all_notes_done_and_delivered_is_settled() -> None:
    assert unsettled(NOTES, KEPT) == []


@pytest.mark.parametrize(
    "change", [{"state": "failed"}, {"is_delivered": False}, {"text": SECOND.text}, {"message_id": 99}]
)
def test_whatever_else_the_ledger_says_is_unsettled(change: dict[str, object]) -> None:
    changed = replace(KEPT[0], **change)  # type: ignore[arg-type]  # one field of several types
    assert unsettled(NOTES, [changed, *KEPT[1:]]) == [str(FIRST)]


def test_only_violations_that_faults_explain_are_excused() -> None:
    excused = "Bad Request: message is not modified: specified new message (editMessageText {})"
    other = "Bad Request: message can't be edited (editMessageText {})"
    assert unexplained([excused, other]) == [other]


def test_quantiles_of_few_values() -> None:
    assert quantile([], 0.5) == 0.0
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 2.0, 3.0, 3.0]


def test_who_could_not_know_may_come_too_early_but_not_more_often() -> None:
    early = [f"repeated 0.{tenth} s before retry_after had passed (getFile)" for tenth in (1, 2, 3)]
    assert unexplained(early, forgetful=2) == early[2:]
    assert unexplained(early) == early
