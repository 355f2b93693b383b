"""Storage: the ledger with its transcripts (SQL) and the recordings (files). Knows nothing of queues or chats."""
