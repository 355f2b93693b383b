"""Errors about Telegram, with the sentence that a person reads; part of the tree in `engine.errors`."""

from engine import Fault


class TelegramFault(Fault):
    """Base class: Telegram refuses or lacks something."""


class FileTooBig(TelegramFault):
    """The file is larger than bots may download."""

    code = "file_too_big"
    sentence = (
        "This file is larger than {limit_mb} MB, the most that I may fetch from Telegram. Send it in shorter parts, or "
        "as a voice note."
    )


class FileGone(TelegramFault):
    """Telegram no longer serves the file."""

    code = "file_gone"
    sentence = "Telegram does not give me this file any more. Please send it again."


class TokenMissing(TelegramFault):
    """`telegram.token` is empty."""

    code = "token_missing"
    sentence = "There is no bot token. Get one from @BotFather in Telegram and set EARSHOT_TELEGRAM__TOKEN to it."


class TokenRefused(TelegramFault):
    """Telegram rejects the token."""

    code = "token_refused"
    sentence = "Telegram refuses the bot token. Copy it again from @BotFather into EARSHOT_TELEGRAM__TOKEN."


class WebhookRefused(TelegramFault):
    """Telegram does not call the address of the webhook."""

    code = "webhook_refused"
    sentence = "Telegram refuses the webhook: {reason}. Check telegram.webhook_url."


class WebhookUnsafe(TelegramFault):
    """Webhook mode without a URL that can be called, or without a secret: anybody could post updates."""

    code = "webhook_unsafe"
    sentence = "Webhook mode needs telegram.webhook_url (https://…) and telegram.webhook_secret. Set both."
