"""Methods that change or remove what is in a chat already, and answers to pressed buttons."""

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
from bot.playground.api_sending import mode
from bot.playground.chats import Conversation, topic_of
from bot.playground.entities import utf16_length
from bot.playground.message_validation import check_markup, formatted
from bot.playground.registry import answers
from bot.playground.state import CALLBACK_LIFETIME_S, World

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


@answers(EditMessageText)
def edit_message_text(world: World, call: EditMessageText) -> Message:
    """Replace a text and its buttons."""
    conversation, message = _own(world, call.chat_id, call.message_id)
    text, entities = formatted(call.text or "", mode(call.parse_mode), call.entities)
    if not text:
        raise bad_request("message text is empty" if not call.text else "text must be non-empty")
    if utf16_length(text) > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG")
    if message.text is None:
        raise bad_request("there is no text in the message to edit")
    content = {"text": text, "entities": entities or None}
    return _edit(world, conversation, message, content, call.reply_markup)


@answers(EditMessageReplyMarkup)
def edit_message_reply_markup(world: World, call: EditMessageReplyMarkup) -> Message:
    """Replace the buttons alone."""
    conversation, message = _own(world, call.chat_id, call.message_id)
    return _edit(world, conversation, message, {}, call.reply_markup)


def _own(world: World, chat_id: int | str | None, message_id: int | None) -> tuple[Conversation, Message]:
    if chat_id is None:
        raise bad_request("chat_id is empty")
    conversation = world.conversation(chat_id)
    if not message_id:
        raise bad_request("message identifier is not specified")
    message = conversation.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found", foreseeable=message_id not in conversation.deleted_by_people)
    if message.from_user is None or message.from_user.id != world.bot.id:
        raise bad_request("message can't be edited")
    topic = conversation.topics.get(topic_of(message) or 0)
    if topic is not None and topic.closed and world.bot.id not in conversation.administrators:
        raise bad_request("TOPIC_CLOSED", foreseeable=False)
    return conversation, message


def _edit(
    world: World,
    conversation: Conversation,
    message: Message,
    content: Mapping[str, object],
    markup: InlineKeyboardMarkup | None,
) -> Message:
    wanted = {**content, "reply_markup": check_markup(markup)}
    if all(getattr(message, name) == value for name, value in wanted.items()):
        lost = (str(conversation.chat.id), str(message.message_id)) in world.unanswered_edits
        raise bad_request(NOT_MODIFIED, foreseeable=not lost)
    changed = conversation.change(message, world.now(), wanted)
    world.changed.ring()
    return changed


@answers(DeleteMessage)
def delete_message(world: World, call: DeleteMessage) -> bool:
    """Delete one message."""
    conversation = world.conversation(call.chat_id)
    if call.message_id not in conversation.messages:
        gone = call.message_id in conversation.deleted_by_people
        raise bad_request("message to delete not found", foreseeable=not gone)
    _check_deletable(world, conversation, call.message_id)
    conversation.remove(call.message_id)
    world.changed.ring()
    return True


@answers(DeleteMessages)
def delete_messages(world: World, call: DeleteMessages) -> bool:
    """Delete several messages; those that are not there are skipped."""
    conversation = world.conversation(call.chat_id)
    if not 1 <= len(call.message_ids) <= MAX_BATCH:
        raise bad_request("message identifiers are not specified" if not call.message_ids else "too many messages")
    present = [message_id for message_id in call.message_ids if message_id in conversation.messages]
    for message_id in present:
        _check_deletable(world, conversation, message_id)
    for message_id in present:
        conversation.remove(message_id)
    world.changed.ring()
    return True


def _check_deletable(world: World, conversation: Conversation, message_id: int) -> None:
    message = conversation.messages[message_id]
    own = message.from_user is not None and message.from_user.id == world.bot.id
    administrator = world.bot.id in conversation.administrators
    if not (own or conversation.is_private or administrator):
        raise bad_request("message can't be deleted for everyone")
    if not administrator and world.now() - conversation.seconds[message_id] > DELETABLE_S:
        raise bad_request("message can't be deleted for everyone")


@answers(AnswerCallbackQuery)
def answer_callback_query(world: World, call: AnswerCallbackQuery) -> bool:
    """Stop the spinner on a pressed button."""
    pressed = world.pressed.get(call.callback_query_id)
    if pressed is None or world.now() - pressed.at > CALLBACK_LIFETIME_S:
        raise bad_request(
            "query is too old and response timeout expired or query ID is invalid", foreseeable=pressed is None
        )
    if utf16_length(call.text or "") > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    pressed.answers.append(call.text)
    pressed.alert = bool(call.show_alert)
    world.changed.ring()
    return True


@answers(SetMessageReaction)
def set_message_reaction(world: World, call: SetMessageReaction) -> bool:
    """Put one emoji under a message, or take it away."""
    conversation = world.conversation(call.chat_id)
    if call.message_id not in conversation.messages:
        gone = call.message_id in conversation.deleted_by_people
        raise bad_request("message to react not found", foreseeable=not gone)
    reactions = call.reaction or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if any(not isinstance(reaction, ReactionTypeEmoji) or reaction.emoji not in REACTIONS for reaction in reactions):
        raise bad_request("REACTION_INVALID")
    emojis = [reaction.emoji for reaction in reactions if isinstance(reaction, ReactionTypeEmoji)]
    world.reactions[conversation.chat.id, call.message_id] = emojis
    world.changed.ring()
    return True
