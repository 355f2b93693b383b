"""What the Bot API says when it does not do what it was asked: status, words, and whose fault it is."""


class Refusal(Exception):
    """An answer with `ok: false`.

    `foreseeable` tells whether the bot could have known: a text that is too long, yes; a chat whose person blocked the
    bot a second ago, no.
    """

    def __init__(
        self,
        status: int,
        description: str,
        *,
        retry_after: int | None = None,
        migrate_to_chat_id: int | None = None,
        foreseeable: bool = True,
    ) -> None:
        """Keep what the answer's body needs."""
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.migrate_to_chat_id = migrate_to_chat_id
        self.foreseeable = foreseeable

    def body(self) -> dict[str, object]:
        """Give the JSON that Telegram answers with."""
        hints = {"retry_after": self.retry_after, "migrate_to_chat_id": self.migrate_to_chat_id}
        parameters = {name: value for name, value in hints.items() if value is not None}
        answer: dict[str, object] = {"ok": False, "error_code": self.status, "description": self.description}
        return answer | ({"parameters": parameters} if parameters else {})


def bad_request(words: str, *, foreseeable: bool = True) -> Refusal:
    """Refuse with 400."""
    return Refusal(400, f"Bad Request: {words}", foreseeable=foreseeable)


def forbidden(words: str, *, foreseeable: bool = False) -> Refusal:
    """Refuse with 403: the other side does not want the bot."""
    return Refusal(403, f"Forbidden: {words}", foreseeable=foreseeable)


def not_found() -> Refusal:
    """Refuse with 404: no such method, or a token that cannot be one."""
    return Refusal(404, "Not Found")


def too_many_requests(retry_after: int) -> Refusal:
    """Refuse with 429."""
    return Refusal(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
