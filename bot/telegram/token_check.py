"""Asks Telegram who the bot is."""

from aiogram.exceptions import TelegramAPIError, TelegramNetworkError, TelegramUnauthorizedError

from bot.config.settings import TelegramSettings
from bot.telegram.client import make_bot
from bot.telegram.errors import TokenRefused
from bot.telegram.request_policy import total_timeout

ANSWERS_WITHIN_S = 10


class TelegramUnavailable(Exception):
    """Telegram, or what is set in its place, does not say; `str()` tells what to do."""


async def fetch_username(settings: TelegramSettings) -> str:
    """Give the bot's name.

    Raises:
        TokenMissing: the token is empty.
        TokenRefused: Telegram does not know it.
        TelegramUnavailable: there is no answer.
    """
    bot = make_bot(settings)
    where = settings.api_base
    try:
        with total_timeout(0):
            me = await bot.get_me(request_timeout=ANSWERS_WITHIN_S)
    except TelegramUnauthorizedError:
        raise TokenRefused from None
    except TelegramNetworkError:
        raise TelegramUnavailable(
            f"{where} cannot be reached. Check the network, a proxy or firewall, and telegram.api_base."
        ) from None
    except TelegramAPIError as error:
        raise TelegramUnavailable(f"{where} answers: {error.message}. Check telegram.api_base.") from None
    finally:
        await bot.session.close()
    return str(me.username)
