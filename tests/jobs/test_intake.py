import asyncio

import pytest

from jobs.estimate import RecentSpeed
from jobs.intake import Intake
from storage.errors import ValueNotStorable
from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, transcript


@pytest.fixture
def intake(ledger: TelegramLedger) -> Intake:
    return Intake(ledger=ledger, speed=RecentSpeed(ledger), options_of=lambda _: "o", within_s=None)


async def test_a_note_whose_door_row_cannot_be_stored_is_not_stored_either(
    intake: Intake, ledger: TelegramLedger
) -> None:
    message = incoming(message_id=2**70)
    with pytest.raises(ValueNotStorable):
        await intake.submit(message.to_note(), message.to_row())
    assert await ledger.recent() == []


async def test_of_submissions_with_the_same_key_at_the_same_time_one_makes_a_note(intake: Intake) -> None:
    message = incoming()
    submitted = await asyncio.gather(*(intake.submit(message.to_note(), message.to_row()) for _ in range(5)))
    assert [one.is_new for one in submitted].count(True) == 1
    assert len({one.note.id for one in submitted}) == 1


async def test_a_submission_tells_of_a_note_of_the_same_audio_whose_text_is_known(
    intake: Intake, ledger: TelegramLedger
) -> None:
    earlier = incoming(file_unique_id="same")
    note = (await intake.submit(earlier.to_note(), earlier.to_row())).note
    claimed = await ledger.claim(note.id, "worker", options="o")
    assert claimed is not None
    await ledger.finish(note.id, claimed.fence, transcript(), engine_s=1, digest="d")
    later = incoming(file_unique_id="same")
    same_audio = (await intake.submit(later.to_note(), later.to_row())).same_audio
    assert same_audio is not None
    assert same_audio.id == note.id
