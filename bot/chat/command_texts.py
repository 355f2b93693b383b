"""What each command does, in the languages that the bot speaks: for /help and for the command menu."""

from bot.chat.texts import SOURCE, languages, say, speaking


def command_texts() -> dict[str, str]:
    """Give the description of every command by its name, in the current language."""
    return {
        "start": say("what I do"),
        "help": say("all commands"),
        "history": say("the recordings of this chat"),
        "retry": say("transcribe again; “/retry de” in another language"),
        "cancel": say("stop transcribing"),
        "audio": say("send the recording again"),
        "delete": say("delete a recording and its text"),
        "stats": say("what I did for you"),
        "queue": say("how busy I am"),
    }


def command_texts_by_language() -> dict[str | None, dict[str, str]]:
    """Give the descriptions by language code; those of None are English, for everybody else."""
    found: dict[str | None, dict[str, str]] = {}
    for language in languages():
        with speaking(language):
            found[None if language == SOURCE else language] = command_texts()
    return found
