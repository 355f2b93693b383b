"""Speaker diarization: speaker embeddings of speech, and their clustering into speakers.

Knows nothing of recognizers.
"""
