"""From a recording to its transcript: fair thread pool, batching, word times.

Knows nothing of vendors: a recognizer is handed in.
"""
