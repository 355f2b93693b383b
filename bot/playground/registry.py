"""Registry of the functions that handle the Bot API's methods."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from bot.playground.state import ServerState

Method = TypeVar("Method", bound=BaseModel)
Handler = Callable[[ServerState, Method], object]

HANDLERS: dict[type[BaseModel], Callable[..., object]] = {}


def handles(model: type[Method]) -> Callable[[Handler[Method]], Handler[Method]]:
    """Register the decorated function as the handler of `model`."""

    def register(function: Handler[Method]) -> Handler[Method]:
        HANDLERS[model] = function
        return function

    return register
