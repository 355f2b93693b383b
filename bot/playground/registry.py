"""Which function answers which method."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from bot.playground.state import World

Method = TypeVar("Method", bound=BaseModel)
Answer = Callable[[World, Method], object]

ANSWERS: dict[type[BaseModel], Callable[..., object]] = {}


def answers(model: type[Method]) -> Callable[[Answer[Method]], Answer[Method]]:
    """Make the function below the one that answers `model`."""

    def register(function: Answer[Method]) -> Answer[Method]:
        ANSWERS[model] = function
        return function

    return register
