"""Finds the audio in a Telegram message (voice, audio, video, document) and describes it as an incoming note."""

from pathlib import PurePath

from aiogram.types import Audio, Document, Message, Video, VideoNote, Voice

from bot.chat.sender import sender_of
from storage.telegram.message import IncomingMessage

EXTENSIONS_OF = {  # by the reader that `engine` has for them
    "aac": ("aac",),
    "ac3": ("ac3",),
    "aiff": ("aif", "aifc", "aiff"),
    "amr": ("amr", "awb"),
    "au": ("au",),
    "caf": ("caf",),
    "flac": ("flac",),
    "matroska": ("mka", "mkv", "webm"),
    "mov": ("3gp", "m4a", "m4b", "m4v", "mov", "mp4"),
    "mp3": ("mp2", "mp3"),
    "ogg": ("oga", "ogg", "ogv", "opus", "spx"),
    "wav": ("wav", "wave"),
}
EXTENSIONS = frozenset(extension for extensions in EXTENSIONS_OF.values() for extension in extensions)
_SOUND_TYPES = ("audio/", "video/", "application/ogg", "application/x-matroska")
_UNREADABLE_TYPES = frozenset(("audio/x-ms-wma", *(
    f"video/{name}"
    for name in ("avi", "mp2t", "mpeg", "msvideo", "vnd.avi", "x-flv", "x-mpeg", "x-ms-asf", "x-ms-wmv", "x-msvideo")
)))  # fmt: skip
_GENERAL_TOPIC = 1

AudioAttachment = Voice | Audio | Video | VideoNote | Document


def incoming_note(message: Message, bot_id: int) -> IncomingMessage | None:
    """Describe a message as an incoming note; None if it holds no audio or has no sender."""
    sound, sender = find_audio(message), sender_of(message)
    if sound is None or sender is None:
        return None
    return IncomingMessage(
        bot_id=bot_id,
        chat_id=message.chat.id,
        message_id=message.message_id,
        business_connection_id=message.business_connection_id or "",
        guest_query_id=message.guest_query_id or "",
        thread_id=reply_thread_id(message),
        user_id=sender.id,
        kind=message.content_type,
        file_id=sound.file_id,
        file_unique_id=sound.file_unique_id,
        claimed_s=getattr(sound, "duration", None),
        claimed_bytes=sound.file_size,
        file_name=getattr(sound, "file_name", None),
        locale=sender.language_code or "en",
    )


def find_audio(message: Message) -> AudioAttachment | None:
    """Return the attachment of a message that can be transcribed; None if there is none."""
    sound = message.voice or message.audio or message.video or message.video_note
    if sound is None and message.document and message.animation is None and is_audio_file(message.document):
        return message.document
    return sound


def is_audio_file(document: Document) -> bool:
    """Tell by MIME type or file name whether a document holds audio that the engine decodes."""
    kind = (document.mime_type or "").lower()
    if kind.startswith(_SOUND_TYPES):
        return kind not in _UNREADABLE_TYPES
    return PurePath(document.file_name or "").suffix.lower().removeprefix(".") in EXTENSIONS


def reply_thread_id(message: Message) -> int | None:
    """Return the topic to answer in; None for ordinary replies and for the topic General."""
    if not message.is_topic_message or message.message_thread_id == _GENERAL_TOPIC:
        return None
    return message.message_thread_id
