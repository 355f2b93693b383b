"""Speech: audio in, Transcript out. Knows nothing of Telegram, Redis or SQL."""
