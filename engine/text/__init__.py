"""The text of a transcript: spaces, punctuation, scripts, hotwords and corrections.

Knows nothing of audio and models.
"""
