"""Methods about how updates reach the bot: asked for, or sent to a webhook."""

import re
import time
from urllib.parse import urlsplit

from aiogram.methods import DeleteWebhook, GetUpdates, GetWebhookInfo, SetWebhook
from aiogram.types import WebhookInfo

from bot.playground.api_errors import Refusal, bad_request
from bot.playground.loopback_only import LOOPBACK
from bot.playground.registry import answers
from bot.playground.state import Webhook, World

SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
MAX_TIMEOUT_S = 50
MAX_LIMIT = 100
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class Polls:
    """Long polling: one at a time, the newest wins."""

    def __init__(self, world: World) -> None:
        """Answer from the updates of `world`."""
        self.world = world
        self.current: object | None = None

    async def poll(self, call: GetUpdates) -> list[dict[str, object]]:
        """Answer getUpdates: at once when there is something, else when there is, or when the time is over."""
        if self.world.webhook.url:
            raise Refusal(409, WEBHOOK_ACTIVE)
        if call.allowed_updates is not None:
            self.world.updates.allowed = call.allowed_updates
        self.current = mine = object()
        self.world.updates.bell.ring()
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
                raise Refusal(409, OTHER_POLLER)
            batch = self.world.updates.take(call.offset or 0, limit)
            left = ends - time.monotonic()
            if batch or left <= 0:
                return batch
            await self.world.updates.bell.wait(left)


@answers(SetWebhook)
def set_webhook(world: World, call: SetWebhook) -> bool:
    """Send updates to an address from now on."""
    if call.drop_pending_updates:
        world.updates.drop()
    if not call.url:
        world.webhook = Webhook()
        return True
    _check_address(call.url)
    if call.secret_token is not None and not SECRET.fullmatch(call.secret_token):
        raise bad_request("secret token contains unallowed characters")
    if call.allowed_updates is not None:
        world.updates.allowed = call.allowed_updates
    world.webhook = Webhook(call.url, call.secret_token, min(max(call.max_connections or 40, 1), 100))
    world.updates.bell.ring()
    return True


def _check_address(url: str) -> None:
    """Ask for HTTPS, except on this machine, where Telegram's own local server does not ask for it either."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if not parts.hostname:
        raise bad_request("bad webhook: failed to resolve host: Name or service not known")


@answers(DeleteWebhook)
def delete_webhook(world: World, call: DeleteWebhook) -> bool:
    """Let updates wait to be asked for again."""
    if call.drop_pending_updates:
        world.updates.drop()
    world.webhook = Webhook()
    return True


@answers(GetWebhookInfo)
def get_webhook_info(world: World, call: GetWebhookInfo) -> WebhookInfo:  # noqa: ARG001 - every answer has this shape
    """Describe the webhook and how well it accepts."""
    hook = world.webhook
    return WebhookInfo.model_validate({
        "url": hook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(world.updates.pending),
        "last_error_date": hook.last_error_at,
        "last_error_message": hook.last_error,
        "max_connections": hook.max_connections if hook.url else None,
        "allowed_updates": world.updates.allowed or None,
    })  # fmt: skip
