"""Voice activity detection: finds speech regions, and cuts them into chunks that a recognizer can take.

Knows nothing of what is said.
"""
