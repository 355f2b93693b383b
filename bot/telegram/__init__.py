"""Bot API client: rate limits, retries, updates, downloads, command menu, errors.

Knows nothing of voice notes in the ledger and of the texts in a chat.
"""
