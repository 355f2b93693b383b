"""Bot API methods that send messages, files, chat actions and drafts."""

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

from bot.playground.api_errors import ApiError, bad_request
from bot.playground.chats import GENERAL_TOPIC, Conversation
from bot.playground.message_validation import (
    caption_text,
    check_markup,
    check_reply,
    check_thread,
    message_text,
    parse_text,
)
from bot.playground.registry import handles
from bot.playground.state import Action, Draft, ServerState
from bot.playground.stored_files import Kind, StoredFile

MAX_UPLOAD = 50 * 1024 * 1024
ACTIONS = frozenset({
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
})  # fmt: skip


class SendCall(Protocol):
    """The fields that all sending methods share."""

    chat_id: int | str
    message_thread_id: int | None
    reply_parameters: ReplyParameters | None
    reply_to_message_id: int | None
    allow_sending_without_reply: bool | None


class CaptionedCall(Protocol):
    """The fields of methods with a caption."""

    caption: str | None
    caption_entities: list[MessageEntity] | None


@handles(SendMessage)
def send_message(state: ServerState, call: SendMessage) -> Message:
    """Send a text."""
    conversation = state.conversation(call.chat_id)
    text, entities = message_text(call.text, parse_mode_of(call.parse_mode), call.entities)
    content = {"text": text, "entities": entities or None}
    return _send(state, conversation, call, content, call.reply_markup)


@handles(SendVoice)
def send_voice(state: ServerState, call: SendVoice) -> Message:
    """Send a voice note."""
    stored = _file(state, call.voice, "voice", duration=call.duration)
    return _send_file(state, call, stored, call.reply_markup, _caption(call, parse_mode_of(call.parse_mode)))


@handles(SendAudio)
def send_audio(state: ServerState, call: SendAudio) -> Message:
    """Send an audio file."""
    stored = _file(state, call.audio, "audio", duration=_seconds(call.duration))
    return _send_file(state, call, stored, call.reply_markup, _caption(call, parse_mode_of(call.parse_mode)))


@handles(SendVideo)
def send_video(state: ServerState, call: SendVideo) -> Message:
    """Send a video."""
    stored = _file(state, call.video, "video", duration=_seconds(call.duration))
    return _send_file(state, call, stored, call.reply_markup, _caption(call, parse_mode_of(call.parse_mode)))


@handles(SendVideoNote)
def send_video_note(state: ServerState, call: SendVideoNote) -> Message:
    """Send a video note, which has no caption."""
    stored = _file(state, call.video_note, "video_note", duration=_seconds(call.duration))
    return _send_file(state, call, stored, call.reply_markup, {})


@handles(SendDocument)
def send_document(state: ServerState, call: SendDocument) -> Message:
    """Send a file as a document."""
    stored = _file(state, call.document, "document")
    return _send_file(state, call, stored, call.reply_markup, _caption(call, parse_mode_of(call.parse_mode)))


@handles(SendChatAction)
def send_chat_action(state: ServerState, call: SendChatAction) -> bool:
    """Show a chat action such as `typing`. Only here the general topic may be named by its id."""
    conversation = state.conversation(call.chat_id)
    if call.action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    if call.message_thread_id != GENERAL_TOPIC:
        check_thread(conversation, call.message_thread_id)
    state.actions.append(Action(conversation.chat.id, call.message_thread_id, call.action, state.now()))
    state.changed.notify_all()
    return True


@handles(SendMessageDraft)
def send_message_draft(state: ServerState, call: SendMessageDraft) -> bool:
    """Show a partial text in a private chat for half a minute."""
    conversation = state.conversation(call.chat_id)
    if not conversation.is_private:
        raise bad_request("message drafts can be sent only to private chats")
    if call.draft_id == 0:
        raise bad_request("draft identifier must be non-zero")
    thread_id = check_thread(conversation, call.message_thread_id)
    text, _ = parse_text(call.text or "", parse_mode_of(call.parse_mode), call.entities)
    if text:
        message_text(text, None, None)
    state.drafts[conversation.chat.id, call.draft_id] = Draft(conversation.chat.id, thread_id, text, state.now())
    state.changed.notify_all()
    return True


def parse_mode_of(parse_mode: object) -> str | None:
    """Give `parse_mode` as text; aiogram's type also allows a default marker, which is never sent."""
    return parse_mode if isinstance(parse_mode, str) else None


def _seconds(duration: object) -> int | None:
    return duration if isinstance(duration, int) else None


def _caption(call: CaptionedCall, parse_mode: str | None) -> dict[str, object]:
    caption, entities = caption_text(call.caption, parse_mode, call.caption_entities)
    return {"caption": caption or None, "caption_entities": entities or None}


def _file(state: ServerState, source: str | InputFile, kind: Kind, *, duration: int | None = None) -> StoredFile:
    if not isinstance(source, BufferedInputFile):
        return state.files.reuse(str(source), kind)
    if not source.data:
        raise bad_request("file must be non-empty")
    if len(source.data) > MAX_UPLOAD:
        raise ApiError(413, "Request Entity Too Large")
    return state.files.add(kind, source.data, name=source.filename, duration=duration or 0)


def _send_file(
    state: ServerState, call: SendCall, stored: StoredFile, markup: TelegramObject | None, caption: Mapping[str, object]
) -> Message:
    conversation = state.conversation(call.chat_id)
    return _send(state, conversation, call, {stored.kind: stored.medium(), **caption}, markup)


def _send(
    state: ServerState,
    conversation: Conversation,
    call: SendCall,
    content: Mapping[str, object],
    markup: TelegramObject | None,
) -> Message:
    reply_to = check_reply(conversation, _reply(call))
    thread_id = check_thread(conversation, call.message_thread_id)
    buttons = {"reply_markup": check_markup(markup)}
    message = conversation.post(state.bot, state.now(), {**content, **buttons}, thread_id=thread_id, reply_to=reply_to)
    _end_draft(state, conversation.chat.id)
    state.changed.notify_all()
    return message


def _reply(call: SendCall) -> ReplyParameters | None:
    """Read `reply_parameters`, or `reply_to_message_id`, which the Bot API still accepts."""
    if call.reply_parameters is None and call.reply_to_message_id:
        return ReplyParameters(
            message_id=call.reply_to_message_id, allow_sending_without_reply=call.allow_sending_without_reply
        )
    return call.reply_parameters


def _end_draft(state: ServerState, chat_id: int) -> None:
    for key in [key for key in state.drafts if key[0] == chat_id]:
        del state.drafts[key]
