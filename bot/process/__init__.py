"""The processes: bot, worker and their supervisor, how each starts and stops, and what it connects to.

Knows nothing of the command line.
"""
