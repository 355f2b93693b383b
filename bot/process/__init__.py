"""The processes (bot, worker, supervisor): how they start and stop, and what they connect to.

Knows nothing of the command line.
"""
