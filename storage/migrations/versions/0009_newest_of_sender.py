"""An index for the newest note of somebody in a chat."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the index."""
    columns = ["bot_id", "answer_chat_id", "user_id", "received_at", "note_id"]
    op.create_index("ix_telegram_messages_sender", "telegram_messages", columns)
