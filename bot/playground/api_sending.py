"""Methods that put something new into a chat."""

from collections.abc import Mapping
from typing import Protocol

from aiogram.methods import (
    SendAudio,
    SendChatAction,
    SendDocument,
    SendMessage,
    SendMessageDraft,
    SendVideo,
    SendVideoNote,
    SendVoice,
)
from aiogram.types import BufferedInputFile, InputFile, Message, MessageEntity, ReplyParameters, TelegramObject

from bot.playground.api_errors import Refusal, bad_request
from bot.playground.chats import GENERAL, Conversation
from bot.playground.message_validation import (
    caption_text,
    check_markup,
    check_reply,
    check_thread,
    formatted,
    message_text,
)
from bot.playground.registry import answers
from bot.playground.state import Action, Draft, World
from bot.playground.stored_files import Kind, StoredFile

MAX_UPLOAD = 50 * 1024 * 1024
ACTIONS = frozenset({
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
})  # fmt: skip


class Sending(Protocol):
    """What all methods that send have in common."""

    chat_id: int | str
    message_thread_id: int | None
    reply_parameters: ReplyParameters | None
    reply_to_message_id: int | None
    allow_sending_without_reply: bool | None


class Captioned(Protocol):
    """What methods with a caption have in common."""

    caption: str | None
    caption_entities: list[MessageEntity] | None


@answers(SendMessage)
def send_message(world: World, call: SendMessage) -> Message:
    """Send a text."""
    conversation = world.conversation(call.chat_id)
    text, entities = message_text(call.text, mode(call.parse_mode), call.entities)
    content = {"text": text, "entities": entities or None}
    return _send(world, conversation, call, content, call.reply_markup)


@answers(SendVoice)
def send_voice(world: World, call: SendVoice) -> Message:
    """Send a voice note."""
    stored = _file(world, call.voice, "voice", duration=call.duration)
    return _send_file(world, call, stored, call.reply_markup, _caption(call, mode(call.parse_mode)))


@answers(SendAudio)
def send_audio(world: World, call: SendAudio) -> Message:
    """Send a piece of music."""
    stored = _file(world, call.audio, "audio", duration=_seconds(call.duration))
    return _send_file(world, call, stored, call.reply_markup, _caption(call, mode(call.parse_mode)))


@answers(SendVideo)
def send_video(world: World, call: SendVideo) -> Message:
    """Send a video."""
    stored = _file(world, call.video, "video", duration=_seconds(call.duration))
    return _send_file(world, call, stored, call.reply_markup, _caption(call, mode(call.parse_mode)))


@answers(SendVideoNote)
def send_video_note(world: World, call: SendVideoNote) -> Message:
    """Send a round video, which has no caption."""
    stored = _file(world, call.video_note, "video_note", duration=_seconds(call.duration))
    return _send_file(world, call, stored, call.reply_markup, {})


@answers(SendDocument)
def send_document(world: World, call: SendDocument) -> Message:
    """Send any file."""
    stored = _file(world, call.document, "document")
    return _send_file(world, call, stored, call.reply_markup, _caption(call, mode(call.parse_mode)))


@answers(SendChatAction)
def send_chat_action(world: World, call: SendChatAction) -> bool:
    """Show what the bot is doing. Here the general topic may be named."""
    conversation = world.conversation(call.chat_id)
    if call.action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    if call.message_thread_id != GENERAL:
        check_thread(conversation, call.message_thread_id)
    world.actions.append(Action(conversation.chat.id, call.message_thread_id, call.action, world.now()))
    world.changed.ring()
    return True


@answers(SendMessageDraft)
def send_message_draft(world: World, call: SendMessageDraft) -> bool:
    """Show a partial text in a private chat, for half a minute."""
    conversation = world.conversation(call.chat_id)
    if not conversation.is_private:
        raise bad_request("message drafts can be sent only to private chats")
    if call.draft_id == 0:
        raise bad_request("draft identifier must be non-zero")
    thread_id = check_thread(conversation, call.message_thread_id)
    text, _ = formatted(call.text or "", mode(call.parse_mode), call.entities)
    if text:
        message_text(text, None, None)
    world.drafts[conversation.chat.id, call.draft_id] = Draft(conversation.chat.id, thread_id, text, world.now())
    world.changed.ring()
    return True


def mode(parse_mode: object) -> str | None:
    """Give the markup that the bot names; the type allows aiogram's own default, which never travels."""
    return parse_mode if isinstance(parse_mode, str) else None


def _seconds(duration: object) -> int | None:
    return duration if isinstance(duration, int) else None


def _caption(call: Captioned, parse_mode: str | None) -> dict[str, object]:
    caption, entities = caption_text(call.caption, parse_mode, call.caption_entities)
    return {"caption": caption or None, "caption_entities": entities or None}


def _file(world: World, source: str | InputFile, kind: Kind, *, duration: int | None = None) -> StoredFile:
    if not isinstance(source, BufferedInputFile):
        return world.files.reuse(str(source), kind)
    if not source.data:
        raise bad_request("file must be non-empty")
    if len(source.data) > MAX_UPLOAD:
        raise Refusal(413, "Request Entity Too Large")
    return world.files.add(kind, source.data, name=source.filename, duration=duration or 0)


def _send_file(
    world: World, call: Sending, stored: StoredFile, markup: TelegramObject | None, caption: Mapping[str, object]
) -> Message:
    conversation = world.conversation(call.chat_id)
    return _send(world, conversation, call, {stored.kind: stored.medium(), **caption}, markup)


def _send(
    world: World,
    conversation: Conversation,
    call: Sending,
    content: Mapping[str, object],
    markup: TelegramObject | None,
) -> Message:
    reply_to = check_reply(conversation, _reply(call))
    thread_id = check_thread(conversation, call.message_thread_id)
    buttons = {"reply_markup": check_markup(markup)}
    message = conversation.post(world.bot, world.now(), {**content, **buttons}, thread_id=thread_id, reply_to=reply_to)
    _end_draft(world, conversation.chat.id)
    world.changed.ring()
    return message


def _reply(call: Sending) -> ReplyParameters | None:
    """Read the reply in its present form or in the one that the Bot API still takes."""
    if call.reply_parameters is None and call.reply_to_message_id:
        return ReplyParameters(
            message_id=call.reply_to_message_id, allow_sending_without_reply=call.allow_sending_without_reply
        )
    return call.reply_parameters


def _end_draft(world: World, chat_id: int) -> None:
    for key in [key for key in world.drafts if key[0] == chat_id]:
        del world.drafts[key]
