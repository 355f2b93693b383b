"""Artefacts: recordings and texts of notes as files, in one store, a folder or a bucket, that every host uses.

Knows nothing of queues, chats, or how speech is read.
"""
