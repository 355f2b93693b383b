"""The settings: what can be set, how it is read, and where log lines go.

Knows nothing of Telegram and of processes.
"""
