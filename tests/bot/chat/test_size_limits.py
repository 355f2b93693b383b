"""What is turned down at the door."""

from dataclasses import replace

import pytest

from bot.chat.delivery import PLACEHOLDER
from bot.chat.size_limits import size_limits
from bot.config.settings import Settings, TelegramSettings
from bot.playground.server import Playground
from bot.telegram.downloads import MB
from bot.telegram.errors import FileTooBig
from engine.errors import AudioTooLong
from engine.settings import EngineSettings
from storage.note import State
from tests.bot.conftest import open_house, sound
from tests.storage.samples import incoming


def settings_with(**telegram: str) -> Settings:
    return Settings(telegram=TelegramSettings(**telegram), engine=EngineSettings(max_audio_s=600))


def test_telegram_keeps_files_above_20_mb_to_itself() -> None:
    limits = size_limits(settings_with())
    assert isinstance(limits.exceeded_by(replace(incoming().to_note(), claimed_bytes=20 * MB + 1)), FileTooBig)
    assert limits.exceeded_by(replace(incoming().to_note(), claimed_bytes=20 * MB)) is None


def test_a_server_of_ones_own_gives_large_files() -> None:
    limits = size_limits(settings_with(api_base="http://127.0.0.1:8081"))
    assert limits.exceeded_by(replace(incoming().to_note(), claimed_bytes=500 * MB)) is None


def test_what_claims_to_be_too_long_is_turned_down() -> None:
    fault = size_limits(settings_with()).exceeded_by(replace(incoming().to_note(), claimed_s=601))
    assert isinstance(fault, AudioTooLong)
    assert fault.params == {"limit_min": 10}


@pytest.mark.parametrize("unknown", [None, 0])
def test_what_nobody_claims_is_let_in(unknown: int | None) -> None:
    note = replace(incoming().to_note(), claimed_s=unknown, claimed_bytes=unknown)
    assert size_limits(settings_with()).exceeded_by(note) is None


async def test_what_breaks_a_limit_fails_at_once_and_a_retry_lets_a_worker_judge(
    settings: Settings, playground: Playground
) -> None:
    strict = settings.model_copy(update={"engine": EngineSettings(model="fake", max_audio_s=60)})
    async with open_house(strict, playground) as house:
        message = playground.send_voice(house.chat(), house.person(), sound(1), duration=61)
        failed = await house.hear("longer than 1 minutes")
        note = await house.delivered(message)
        assert (note.state, note.error and note.error.code) == (State.FAILED, "audio_too_long")
        shown = [version.text for version in playground.versions(failed)]
        assert shown == [PLACEHOLDER, failed.text], "it never stood in the queue"
        await house.start_worker()
        await house.press(failed, "Retry")
        await house.answered(message)
