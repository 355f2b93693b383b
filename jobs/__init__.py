"""The queue between the chat and the engine. The only room that touches arq; knows nothing of Telegram."""
