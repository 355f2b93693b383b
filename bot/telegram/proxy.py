"""The proxy on the way to the Bot API: from the settings, else from the environment as other programs read it."""

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from bot.config.settings import TelegramSettings

# None of them is an error of aiohttp. They come while the connection is made, so nothing was sent.
PROXY_ERRORS = (ProxyError, ProxyConnectionError, ProxyTimeoutError)
SCHEMES = {"socks": "socks5", "socks5h": "socks5", "socks4a": "socks4"}  # names are always left to the proxy


def proxy_url(settings: TelegramSettings) -> str | None:
    """Return the URL of the proxy with its user and password; None for the direct way.

    Without `telegram.proxy` it is that of `HTTPS_PROXY` (`HTTP_PROXY` for a plain server), else `ALL_PROXY`, unless
    `NO_PROXY` names the server or it is on this machine.
    """
    if chosen := settings.proxy.get_secret_value():
        return _understood(chosen)
    server = urlsplit(settings.api_base)
    host = server.hostname or ""
    if host in {"localhost", "127.0.0.1", "::1"} or proxy_bypass(host):
        return None
    found = getproxies_environment()
    named = found.get(server.scheme) or found.get("all")
    return _understood(named) if named else None


def proxy_place(settings: TelegramSettings) -> str | None:
    """Return the proxy's URL without user and password, for people to read; None for the direct way."""
    url = proxy_url(settings)
    if url is None:
        return None
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port}"


def _understood(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return f"http://{url}"
    return f"{SCHEMES.get(scheme.lower(), scheme.lower())}://{rest}"
