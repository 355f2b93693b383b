"""Handlers of messages and buttons, one module per command."""
