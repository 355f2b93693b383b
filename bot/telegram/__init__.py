"""The line to the Bot API: client, rate limits, retries, downloads, command menu, errors.

Knows nothing of notes and of what is said in a chat.
"""
