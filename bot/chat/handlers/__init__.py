"""What the bot does with each kind of message and button."""
