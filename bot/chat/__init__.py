"""A person in Telegram: who may write, how a voice note is taken in, commands and buttons, and how answers look.

Knows nothing of processes and of how speech is read.
"""
