"""The speech recognition models, one file a family, and the only files that touch FunASR and openai-whisper.

Knows nothing of how a recording is cut into chunks, and who speaks in it.
"""
