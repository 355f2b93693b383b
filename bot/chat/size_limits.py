"""Limits on a note's file size and duration, checked before it is queued."""

from dataclasses import dataclass

from bot.config.settings import Settings, TelegramSettings
from bot.telegram.downloads import CLOUD_LIMIT_MB, MB
from bot.telegram.errors import FileTooBig
from engine import AudioTooLong, Fault
from storage.note import Incoming


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """The largest size (MB, None for no limit) and duration (seconds), compared with what Telegram claims."""

    size_mb: int | None
    audio_s: float

    def exceeded_by(self, note: Incoming) -> Fault | None:
        """Return the error of a note that exceeds a limit, else None. A missing claim exceeds nothing."""
        if self.size_mb and (note.claimed_bytes or 0) > self.size_mb * MB:
            return FileTooBig(limit_mb=self.size_mb)
        if (note.claimed_s or 0) > self.audio_s:
            return AudioTooLong(limit_min=round(self.audio_s / 60))
        return None


def size_limits(settings: Settings) -> SizeLimits:
    """Return the limits by the settings: only Telegram's own server refuses large files."""
    is_cloud = settings.telegram.api_base == TelegramSettings().api_base
    return SizeLimits(size_mb=CLOUD_LIMIT_MB if is_cloud else None, audio_s=settings.engine.max_audio_s)
