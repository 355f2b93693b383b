"""What people use: the Telegram bot, the command line, and the processes behind them."""

from bot.telegram.lazy_aiogram import defer_model_building

defer_model_building()
