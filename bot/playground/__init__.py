"""A local stand-in for Telegram's Bot API with a chat page, for the demo and the tests."""
