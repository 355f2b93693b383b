from dataclasses import replace

from storage.telegram.ledger import TelegramLedger
from tests.storage.samples import incoming, record


async def test_what_an_account_chose_is_asked_for_in_its_notes_unless_they_ask_for_something_else(
    ledger: TelegramLedger,
) -> None:
    message = incoming(user_id=1)
    account = message.to_note().account
    await ledger.choose(account, "language", "de")
    await ledger.choose(account, "language", "ru")
    assert await ledger.account_settings(account) == {"language": "ru"}
    assert (await record(ledger, message))[0].request == {"language": "ru"}
    assert (await record(ledger, incoming(user_id=2)))[0].request == {}
    other = incoming(user_id=1)
    asks = replace(other.to_note(), request={"language": "en"})
    assert (await ledger.submit(asks, other.to_row()))[0].request == {"language": "en"}


async def test_a_setting_that_is_given_up_is_forgotten(ledger: TelegramLedger) -> None:
    await ledger.choose("somebody", "language", "de")
    await ledger.choose("somebody", "language", None)
    assert await ledger.account_settings("somebody") == {}
