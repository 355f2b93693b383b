"""Helper for expected Bot API errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiogram.exceptions import TelegramAPIError


@contextmanager
def refused(words: str) -> Iterator[None]:
    """Expect an API error with exactly this description."""
    with pytest.raises(TelegramAPIError) as caught:
        yield
    assert caught.value.message.split("\n")[0] == words
