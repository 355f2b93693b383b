"""The Telegram chat: access, intake of voice notes, commands and buttons, texts, and delivery of answers.

Knows nothing of processes and of how speech is recognised.
"""
