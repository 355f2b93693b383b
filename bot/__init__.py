"""The Telegram face, and the command line that wires every room."""

from bot.telegram.lazy_aiogram import make_lazy

make_lazy()
