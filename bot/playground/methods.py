"""All the methods that the stand-in answers, in one table."""

from bot.playground import api_bot, api_editing, api_sending, api_updates
from bot.playground.registry import ANSWERS

ROOMS = (api_bot, api_editing, api_sending, api_updates)

__all__ = ["ANSWERS", "ROOMS"]
