"""Middleware that accepts requests only for a loopback host and from no other web site (CSRF, DNS rebinding).

A browser lets any web site send requests to 127.0.0.1, and a hostile name server can make a foreign name point there;
so both the name that was asked for and the page that asks must be this server's own.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def reject_foreign_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to what another web site could have made a browser send."""
    origin = request.headers.get("Origin")
    if _host(f"//{request.host}") not in LOOPBACK:
        raise web.HTTPForbidden(text="This server answers to 127.0.0.1 and localhost only.\n")
    if origin is not None and (_host(origin) not in LOOPBACK or urlsplit(origin).netloc != request.host):
        raise web.HTTPForbidden(text="This server answers to its own page only.\n")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise web.HTTPForbidden(text="This server answers to its own page only.\n")
    return await handler(request)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
