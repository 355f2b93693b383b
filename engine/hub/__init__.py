"""Named speech models: the catalogue, their languages and requirements, and the download of their files.

Knows nothing of audio, and loads no model.
"""
