"""Storage: the ledger with its transcripts (SQL) and the artefacts (files). Knows nothing of queues."""
