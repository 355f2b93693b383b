"""The job queue between doors and engine, and its workers. The only room that uses arq; knows nothing of Telegram."""
