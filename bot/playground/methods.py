"""Imports all handlers, so that the registry is complete."""

from bot.playground import api_bot, api_editing, api_sending, api_updates
from bot.playground.registry import HANDLERS

MODULES = (api_bot, api_editing, api_sending, api_updates)

__all__ = ["HANDLERS", "MODULES"]
