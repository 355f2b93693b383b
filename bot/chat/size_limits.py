"""Which notes are not worth a place in the queue, because they are too large or too long to be transcribed here."""

from dataclasses import dataclass

from bot.config.settings import Settings, TelegramSettings
from bot.telegram.downloads import CLOUD_LIMIT_MB, MB
from bot.telegram.errors import FileTooBig
from engine import AudioTooLong, Fault
from storage.note import Incoming


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """The most that is taken in, by what Telegram says of a note; None is no limit."""

    size_mb: int | None
    audio_s: float

    def exceeded_by(self, note: Incoming) -> Fault | None:
        """Give what is wrong with the note's size or length. What nobody claims breaks nothing."""
        if self.size_mb and (note.claimed_bytes or 0) > self.size_mb * MB:
            return FileTooBig(limit_mb=self.size_mb)
        if (note.claimed_s or 0) > self.audio_s:
            return AudioTooLong(limit_min=round(self.audio_s / 60))
        return None


def size_limits(settings: Settings) -> SizeLimits:
    """Give the limits that hold here: only Telegram's own servers keep large files from bots."""
    is_cloud = settings.telegram.api_base == TelegramSettings().api_base
    return SizeLimits(size_mb=CLOUD_LIMIT_MB if is_cloud else None, audio_s=settings.engine.max_audio_s)
