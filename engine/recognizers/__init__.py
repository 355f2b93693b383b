"""The speech recognition models, one file a family, and the only files that touch FunASR, torch and openai-whisper.

Knows nothing of files on disk that hold audio, and of Telegram, queues and SQL.
"""
