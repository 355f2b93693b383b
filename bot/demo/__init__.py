"""`earshot demo`: the whole system without a token, with a stand-in for Telegram and the chat in print.

Knows nothing that the real bot does not know.
"""
