"""Voice activity detection: where somebody speaks, and how speech is cut into chunks that a model can take.

Knows nothing of what is said.
"""
