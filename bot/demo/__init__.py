"""`earshot demo`: the whole system without a token, on a stand-in for Telegram, with the chat printed.

Knows nothing that the real bot does not know.
"""
