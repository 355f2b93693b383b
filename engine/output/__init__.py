"""Writes a transcript as txt, vtt, srt or json, and cuts it into subtitles.

Knows nothing of audio and of how the text came to be.
"""
