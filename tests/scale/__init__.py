"""Measures the queue at scale: a real Redis and a real ledger, filled with entries that nobody transcribes."""
