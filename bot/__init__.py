"""The Telegram face, and the command line that wires every room."""

from bot.lazy_aiogram import make_lazy

make_lazy()
