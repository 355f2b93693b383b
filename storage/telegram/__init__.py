"""What only the Telegram door keeps in the ledger: messages, the bot's replies, and chats.

The rest of `storage`, and all of `jobs`, know nothing of it.
"""
