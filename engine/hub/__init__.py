"""The models that go by a name: what they need, which languages they know, and how their files are downloaded.

Knows nothing of audio and of how a model runs.
"""
