"""The settings: what can be set, how they are read, and the set-up of the log.

Knows nothing of the Bot API and of processes.
"""
