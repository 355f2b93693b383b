"""How often the ledger is asked for one note, from its update to its text in the chat."""

import pytest
from structlog.testing import capture_logs

from tests.bot.conftest import House, until
from tests.storage.transactions import Transactions

LIMIT = 8


async def test_a_short_note_costs_few_transactions_from_its_update_to_its_text(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.start_worker()
    await house.delivered(house.speak(1))  # by then all is done that is done once in the life of a process
    monkeypatch.setattr(house.app.intake.intake.speed, "_measured", None)  # as if nobody had sent anything for long
    transactions = Transactions()
    with transactions.counted(house.ledger), capture_logs() as logs:
        await house.answered(house.speak(2))
        await until(lambda: any(line["event"] == "voice_note" for line in logs))
    asked = transactions.of_notes()
    assert len(asked) <= LIMIT, "\n".join(map(str, asked))
