"""Bot API methods for updates: long polling and the webhook."""

import re
import time
from urllib.parse import urlsplit

from aiogram.methods import DeleteWebhook, GetUpdates, GetWebhookInfo, SetWebhook
from aiogram.types import WebhookInfo

from bot.playground.api_errors import ApiError, bad_request
from bot.playground.loopback_only import LOOPBACK
from bot.playground.registry import handles
from bot.playground.state import ServerState, Webhook

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
MAX_TIMEOUT_S = 50
MAX_LIMIT = 100
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class LongPolling:
    """getUpdates: one call at a time; a new one ends the one before with 409."""

    def __init__(self, state: ServerState) -> None:
        """Read from the update queue of `state`."""
        self.state = state
        self.current: object | None = None

    async def poll(self, call: GetUpdates) -> list[dict[str, object]]:
        """Give the pending updates; wait up to `timeout` seconds (at most 50) when there are none.

        Raises:
            ApiError: A webhook is set, or another getUpdates call began.
        """
        if self.state.webhook.url:
            raise ApiError(409, WEBHOOK_ACTIVE)
        if call.allowed_updates is not None:
            self.state.updates.allowed = call.allowed_updates
        self.current = mine = object()
        self.state.updates.changed.notify_all()
        try:
            return await self._wait(call, mine)
        finally:
            if self.current is mine:
                self.current = None

    async def _wait(self, call: GetUpdates, mine: object) -> list[dict[str, object]]:
        ends = time.monotonic() + min(max(call.timeout or 0, 0), MAX_TIMEOUT_S)
        limit = min(max(call.limit or MAX_LIMIT, 1), MAX_LIMIT)
        while True:
            if self.current is not mine:
                raise ApiError(409, OTHER_POLLER)
            batch = self.state.updates.take(call.offset or 0, limit)
            left = ends - time.monotonic()
            if batch or left <= 0:
                return batch
            await self.state.updates.changed.wait(left)


@handles(SetWebhook)
def set_webhook(state: ServerState, call: SetWebhook) -> bool:
    """Set the webhook; an empty `url` removes it."""
    if call.drop_pending_updates:
        state.updates.clear()
    if not call.url:
        state.webhook = Webhook()
        return True
    _check_address(call.url)
    if call.secret_token is not None and not SECRET.fullmatch(call.secret_token):
        raise bad_request("secret token contains unallowed characters")
    if call.allowed_updates is not None:
        state.updates.allowed = call.allowed_updates
    state.webhook = Webhook(call.url, call.secret_token, min(max(call.max_connections or 40, 1), 100))
    state.updates.changed.notify_all()
    return True


def _check_address(url: str) -> None:
    """Require HTTPS, except on the loopback, as Telegram's local server does."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if not parts.hostname:
        raise bad_request("bad webhook: failed to resolve host: Name or service not known")


@handles(DeleteWebhook)
def delete_webhook(state: ServerState, call: DeleteWebhook) -> bool:
    """Remove the webhook."""
    if call.drop_pending_updates:
        state.updates.clear()
    state.webhook = Webhook()
    return True


@handles(GetWebhookInfo)
def get_webhook_info(state: ServerState, call: GetWebhookInfo) -> WebhookInfo:  # noqa: ARG001 - every answer has this shape
    """Describe the webhook and its last error."""
    hook = state.webhook
    return WebhookInfo.model_validate({
        "url": hook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(state.updates.pending),
        "last_error_date": hook.last_error_at,
        "last_error_message": hook.last_error,
        "max_connections": hook.max_connections if hook.url else None,
        "allowed_updates": state.updates.allowed or None,
    })  # fmt: skip
