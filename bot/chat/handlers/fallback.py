"""Answers what no other handler took: a hint in private chats, nothing in groups."""

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message

from bot.chat.handlers.respond import answer, respond
from bot.chat.texts import translate


def router() -> Router:
    """Return the router of everything else."""
    own = Router(name="rest")
    own.message.register(unknown_command, F.chat.type == ChatType.PRIVATE, F.text.startswith("/"))
    own.message.register(soundless_document, F.chat.type == ChatType.PRIVATE, F.document)
    own.message.register(
        something_else,
        F.chat.type == ChatType.PRIVATE,
        F.text | F.photo | F.sticker | F.animation | F.contact | F.location,
    )
    own.callback_query.register(stale_button)
    return own


async def unknown_command(message: Message) -> None:
    """Refer to /help."""
    await respond(message, translate("I don't know this command. /help shows those that I know."))


async def soundless_document(message: Message) -> None:
    """List the accepted file types."""
    await respond(
        message,
        translate(
            "I can't read this type of file. Send a voice note, an audio file or a video: wav, mp3, m4a, flac, ogg, "
            "opus, webm, mp4, mov, mkv, amr or aiff."
        ),
    )


async def something_else(message: Message) -> None:
    """Tell what the bot is for."""
    await respond(
        message, translate("Send or forward me a voice note, an audio file or a video, and I answer with its text.")
    )


async def stale_button(press: CallbackQuery) -> None:
    """Acknowledge a button of an older version, which would otherwise keep its spinner."""
    await answer(press)
