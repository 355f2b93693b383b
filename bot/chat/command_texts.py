"""Descriptions of the commands in every language, for /help and for the command menu."""

from bot.chat.texts import SOURCE, languages, translate, use_language


def command_texts() -> dict[str, str]:
    """Return the description of every command, in the current language."""
    return {
        "start": translate("what I do"),
        "help": translate("all commands"),
        "history": translate("the recordings of this chat"),
        "retry": translate("transcribe again; “/retry de” in another language"),
        "language": translate("the language of your recordings"),
        "cancel": translate("stop transcribing"),
        "audio": translate("send the recording again"),
        "delete": translate("delete a recording and its text"),
        "stats": translate("what I did for you"),
        "queue": translate("how busy I am"),
    }


def command_texts_by_language() -> dict[str | None, dict[str, str]]:
    """Return the descriptions by language code; those of None are English, for all other languages."""
    found: dict[str | None, dict[str, str]] = {}
    for language in languages():
        with use_language(language):
            found[None if language == SOURCE else language] = command_texts()
    return found
