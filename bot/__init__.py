"""The Telegram face, and the command line that wires every room."""
