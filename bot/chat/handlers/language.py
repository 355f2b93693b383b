"""/language: the language in which all recordings of a person are read from then on."""

from aiogram import Router
from aiogram.filters import Command, CommandObject
from aiogram.types import Message

from bot.chat.handlers.respond import respond
from bot.chat.sender import sender_of
from bot.chat.texts import fault_text, translate
from bot.config.request_defaults import default_request
from bot.config.settings import Settings
from engine import Param, UnknownLanguage, languages_of
from storage.telegram.ledger import TelegramLedger
from storage.telegram.message import account_of_user

AUTO = "auto"  # the model hears the language
LONGEST_CODE = 16


def router() -> Router:
    """Return the router of /language."""
    own = Router(name="language")
    own.message.register(choose_language, Command("language"))
    return own


async def choose_language(message: Message, command: CommandObject, ledger: TelegramLedger, settings: Settings) -> None:
    """Keep the language that is named, for whoever sends the command; without one, tell which it is."""
    sender = sender_of(message)
    if sender is None:
        return
    account, asked = account_of_user(sender.id), language_code(command)
    chosen: Param | None
    if asked is None:
        chosen = (await ledger.account_settings(account)).get("language")
        await respond(message, _current(chosen, settings))
    elif fault := unknown_language(asked, settings):
        await respond(message, fault_text(fault.code, fault.params))
    else:
        chosen = None if asked == AUTO else asked
        await ledger.choose(account, "language", chosen)
        await respond(message, _chosen(chosen, settings))


def language_code(command: CommandObject) -> str | None:
    """Return the code of the language that a command names; None if it names none."""
    return (command.args or "").strip().lower()[:LONGEST_CODE] or None


def unknown_language(language: str, settings: Settings) -> UnknownLanguage | None:
    """Return the error if the model does not know a language; one that only the workers have is left to them."""
    known = languages_of(settings.engine.model)
    if language == AUTO or not known or language in known:
        return None
    return UnknownLanguage(language=language, known=", ".join(known))


def _current(chosen: Param | None, settings: Settings) -> str:
    lines = [_chosen(chosen, settings)]
    if known := languages_of(settings.engine.model):
        lines.append(translate("Languages that I know: {known}.", known=", ".join(known)))
    lines.append(translate("Choose one with “/language en”; “/language auto” leaves it to me."))
    return "\n".join(lines)


def _chosen(chosen: Param | None, settings: Settings) -> str:
    language = chosen or default_request(settings.engine).language
    if language is None:
        return translate("I find out by myself which language your recordings are in.")
    return translate("I read your recordings in the language “{language}”.", language=language)
