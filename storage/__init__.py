"""What is kept: the ledger, transcripts, recordings. Knows nothing of queues or chats."""
