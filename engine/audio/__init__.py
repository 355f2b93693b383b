"""From any audio or video file to 16 kHz samples: decoder and its sandbox, channels, filter bank.

Knows nothing of speech and text.
"""

SAMPLE_RATE = 16_000  # Hz, of all decoded sound: every model here takes it
