"""Sends the answer to a command, or edits the message of a pressed button."""

from contextlib import suppress

from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, ReplyParameters

from bot.telegram.request_policy import at_least_once


async def respond(message: Message, text: str, keyboard: InlineKeyboardMarkup | None = None) -> Message:
    """Answer a message in its topic; in a group as a reply to it."""
    in_private = message.chat.type == ChatType.PRIVATE
    pointer = ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
    with at_least_once():
        return await message.answer(text, reply_markup=keyboard, reply_parameters=None if in_private else pointer)


async def answer(press: CallbackQuery, text: str = "", *, show_alert: bool = False) -> None:
    """Answer the press of a button. Too late, which Telegram refuses, is no fault: what was asked for is done."""
    with suppress(TelegramBadRequest):
        await press.answer(text, show_alert=show_alert)


async def change(press: CallbackQuery, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    """Replace the text and the buttons of the message whose button was pressed."""
    if press.bot and press.message:
        await press.bot.edit_message_text(
            text, chat_id=press.message.chat.id, message_id=press.message.message_id, reply_markup=keyboard
        )
