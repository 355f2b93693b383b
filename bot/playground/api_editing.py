"""Bot API methods that edit and delete messages, set reactions and answer callback queries."""

from collections.abc import Mapping

from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMessage,
    DeleteMessages,
    EditMessageReplyMarkup,
    EditMessageText,
    SetMessageReaction,
)
from aiogram.types import InlineKeyboardMarkup, Message, ReactionTypeEmoji

from bot.playground.api_errors import bad_request
from bot.playground.api_sending import parse_mode_of
from bot.playground.chats import Conversation, topic_of
from bot.playground.entities import utf16_length
from bot.playground.message_validation import check_markup, parse_text
from bot.playground.registry import handles
from bot.playground.state import CALLBACK_LIFETIME_S, ServerState

MAX_TEXT = 4096
MAX_ANSWER = 200
MAX_BATCH = 100
DELETABLE_S = 48 * 3600
REACTIONS = frozenset({
    "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢",
    "🎉", "🤩", "🤮", "💩", "🙏", "👌", "🕊", "🤡", "🥱", "🥴", "😍", "🐳",
    "❤‍🔥", "🌚", "🌭", "💯", "🤣", "⚡", "🍌", "🏆", "💔", "🤨", "😐", "🍓",
    "🍾", "💋", "🖕", "😈", "😴", "😭", "🤓", "👻", "👨‍💻", "👀", "🎃", "🙈",
    "😇", "😨", "🤝", "✍", "🤗", "🫡", "🎅", "🎄", "☃", "💅", "🤪", "🗿",
    "🆒", "💘", "🙉", "🦄", "😘", "💊", "🙊", "😎", "👾", "🤷‍♂", "🤷", "🤷‍♀",
    "😡",
})  # fmt: skip
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)


@handles(EditMessageText)
def edit_message_text(state: ServerState, call: EditMessageText) -> Message:
    """Replace the text and the buttons of a message."""
    conversation, message = _own(state, call.chat_id, call.message_id)
    text, entities = parse_text(call.text or "", parse_mode_of(call.parse_mode), call.entities)
    if not text:
        raise bad_request("message text is empty" if not call.text else "text must be non-empty")
    if utf16_length(text) > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG")
    if message.text is None:
        raise bad_request("there is no text in the message to edit")
    content = {"text": text, "entities": entities or None}
    return _edit(state, conversation, message, content, call.reply_markup)


@handles(EditMessageReplyMarkup)
def edit_message_reply_markup(state: ServerState, call: EditMessageReplyMarkup) -> Message:
    """Replace the buttons of a message."""
    conversation, message = _own(state, call.chat_id, call.message_id)
    return _edit(state, conversation, message, {}, call.reply_markup)


def _own(state: ServerState, chat_id: int | str | None, message_id: int | None) -> tuple[Conversation, Message]:
    if chat_id is None:
        raise bad_request("chat_id is empty")
    conversation = state.conversation(chat_id)
    if not message_id:
        raise bad_request("message identifier is not specified")
    message = conversation.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found", is_avoidable=message_id not in conversation.deleted_by_users)
    if message.from_user is None or message.from_user.id != state.bot.id:
        raise bad_request("message can't be edited")
    topic = conversation.topics.get(topic_of(message) or 0)
    if topic is not None and topic.closed and state.bot.id not in conversation.administrators:
        raise bad_request("TOPIC_CLOSED", is_avoidable=False)
    return conversation, message


def _edit(
    state: ServerState,
    conversation: Conversation,
    message: Message,
    content: Mapping[str, object],
    markup: InlineKeyboardMarkup | None,
) -> Message:
    wanted = {**content, "reply_markup": check_markup(markup)}
    if all(getattr(message, name) == value for name, value in wanted.items()):
        lost = (str(conversation.chat.id), str(message.message_id)) in state.unanswered_edits
        raise bad_request(NOT_MODIFIED, is_avoidable=not lost)
    changed = conversation.change(message, state.now(), wanted)
    state.changed.notify_all()
    return changed.model_copy(update={"reply_to_message": None})  # the Bot API server answers every edit without it


@handles(DeleteMessage)
def delete_message(state: ServerState, call: DeleteMessage) -> bool:
    """Delete one message."""
    conversation = state.conversation(call.chat_id)
    if call.message_id not in conversation.messages:
        gone = call.message_id in conversation.deleted_by_users
        lost = (str(conversation.chat.id), str(call.message_id)) in state.unanswered_deletions
        raise bad_request("message to delete not found", is_avoidable=not (gone or lost))
    _check_deletable(state, conversation, call.message_id)
    conversation.remove(call.message_id)
    state.changed.notify_all()
    return True


@handles(DeleteMessages)
def delete_messages(state: ServerState, call: DeleteMessages) -> bool:
    """Delete up to 100 messages; unknown ones are skipped."""
    conversation = state.conversation(call.chat_id)
    if not 1 <= len(call.message_ids) <= MAX_BATCH:
        raise bad_request("message identifiers are not specified" if not call.message_ids else "too many messages")
    present = [message_id for message_id in call.message_ids if message_id in conversation.messages]
    for message_id in present:
        _check_deletable(state, conversation, message_id)
    for message_id in present:
        conversation.remove(message_id)
    state.changed.notify_all()
    return True


def _check_deletable(state: ServerState, conversation: Conversation, message_id: int) -> None:
    message = conversation.messages[message_id]
    own = message.from_user is not None and message.from_user.id == state.bot.id
    administrator = state.bot.id in conversation.administrators
    if not (own or conversation.is_private or administrator):
        raise bad_request("message can't be deleted for everyone")
    if not administrator and state.now() - conversation.sent_at[message_id] > DELETABLE_S:
        raise bad_request("message can't be deleted for everyone")


@handles(AnswerCallbackQuery)
def answer_callback_query(state: ServerState, call: AnswerCallbackQuery) -> bool:
    """Answer a pressed button, at most 30 s after the press."""
    pressed = state.button_presses.get(call.callback_query_id)
    if pressed is None or state.now() - pressed.at > CALLBACK_LIFETIME_S:
        raise bad_request(
            "query is too old and response timeout expired or query ID is invalid", is_avoidable=pressed is None
        )
    if utf16_length(call.text or "") > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    pressed.answers.append(call.text)
    pressed.alert = bool(call.show_alert)
    state.changed.notify_all()
    return True


@handles(SetMessageReaction)
def set_message_reaction(state: ServerState, call: SetMessageReaction) -> bool:
    """Set or remove the bot's reaction to a message."""
    conversation = state.conversation(call.chat_id)
    if call.message_id not in conversation.messages:
        gone = call.message_id in conversation.deleted_by_users
        raise bad_request("message to react not found", is_avoidable=not gone)
    reactions = call.reaction or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if any(not isinstance(reaction, ReactionTypeEmoji) or reaction.emoji not in REACTIONS for reaction in reactions):
        raise bad_request("REACTION_INVALID")
    emojis = [reaction.emoji for reaction in reactions if isinstance(reaction, ReactionTypeEmoji)]
    state.reactions[conversation.chat.id, call.message_id] = emojis
    state.changed.notify_all()
    return True
