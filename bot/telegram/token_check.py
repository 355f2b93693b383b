"""Checks the bot token by asking Telegram for the bot itself (getMe)."""

from aiogram.exceptions import TelegramAPIError, TelegramNetworkError, TelegramUnauthorizedError
from aiogram.types import User

from bot.config.settings import TelegramSettings
from bot.telegram.client import make_bot
from bot.telegram.errors import TokenRefused
from bot.telegram.proxy import proxy_place
from bot.telegram.request_policy import total_timeout

ANSWERS_WITHIN_S = 10
PRIVACY_MODE = (
    "privacy mode is on: in groups it hears only commands, mentions and replies, unless it is an admin there. "
    "To change that, send /setprivacy to @BotFather and add the bot to its groups anew"
)


class TelegramUnavailable(Exception):
    """The Bot API server cannot be reached or answers with an error; `str()` names the remedy."""


async def fetch_bot(settings: TelegramSettings) -> User:
    """Return the bot as Telegram knows it.

    Raises:
        TokenMissing: The token is empty.
        TokenRefused: Telegram rejects it.
        TelegramUnavailable: The server does not answer, or answers with another error.
    """
    bot = make_bot(settings)
    proxy = proxy_place(settings)
    where = settings.api_base + (f" through the proxy {proxy}" if proxy else "")
    try:
        with total_timeout(0):
            return await bot.get_me(request_timeout=ANSWERS_WITHIN_S)
    except TelegramUnauthorizedError:
        raise TokenRefused from None
    except TelegramNetworkError:
        raise TelegramUnavailable(
            f"{where} cannot be reached. Check the network, telegram.proxy, a firewall, and telegram.api_base."
        ) from None
    except TelegramAPIError as error:
        raise TelegramUnavailable(f"{where} answers: {error.message}. Check telegram.api_base.") from None
    finally:
        await bot.session.close()
