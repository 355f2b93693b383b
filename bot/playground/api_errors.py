"""Errors of the Bot API: status, description, and whether the bot could have avoided them."""


class ApiError(Exception):
    """An answer with `ok: false`.

    `is_avoidable` tells whether the bot could have known beforehand: of a text that is too long, yes; of a user who
    blocked the bot a second ago, no.
    """

    def __init__(
        self,
        status: int,
        description: str,
        *,
        retry_after: int | None = None,
        migrate_to_chat_id: int | None = None,
        is_avoidable: bool = True,
    ) -> None:
        """Keep what the body of the answer needs; `retry_after` is in seconds."""
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.migrate_to_chat_id = migrate_to_chat_id
        self.is_avoidable = is_avoidable

    def body(self) -> dict[str, object]:
        """Give the answer as Telegram writes it in JSON."""
        hints = {"retry_after": self.retry_after, "migrate_to_chat_id": self.migrate_to_chat_id}
        parameters = {name: value for name, value in hints.items() if value is not None}
        answer: dict[str, object] = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": parameters} if parameters else {})


def bad_request(words: str, *, is_avoidable: bool = True) -> ApiError:
    """Make an error 400."""
    return ApiError(400, f"Bad Request: {words}", is_avoidable=is_avoidable)


def forbidden(words: str, *, is_avoidable: bool = False) -> ApiError:
    """Make an error 403: the bot was blocked or removed."""
    return ApiError(403, f"Forbidden: {words}", is_avoidable=is_avoidable)


def not_found() -> ApiError:
    """Make an error 404: unknown method, or something that cannot be a token."""
    return ApiError(404, "Not Found")


def too_many_requests(retry_after: int) -> ApiError:
    """Make an error 429; `retry_after` is in seconds."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
