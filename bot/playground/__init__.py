"""A local stand-in for the Bot API with a chat page, for the demo and the end-to-end tests."""
