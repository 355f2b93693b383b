"""How tests say that the Bot API refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiogram.exceptions import TelegramAPIError


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expect a refusal with just this description."""
    with pytest.raises(TelegramAPIError) as caught:
        yield
    assert caught.value.message.split("\n")[0] == words
