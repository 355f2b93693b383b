"""The Telegram face, and the command line that wires every room."""

from bot.telegram.lazy_aiogram import defer_model_building

defer_model_building()
