"""A proxy that speaks HTTP (CONNECT), SOCKS5 and SOCKS4, with one user and password."""

import asyncio
import base64
import socket
import struct
from dataclasses import dataclass, field

USER, PASSWORD = "ada", "p%ss"
LOGIN = "ada:p%25ss"  # as in a URL


@dataclass
class ProxyServer:
    """Counts the connections that it passed on, and those that it refused."""

    targets: list[str] = field(default_factory=list)
    refused: int = 0
    _server: asyncio.Server | None = None
    _port: int = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    def url(self, scheme: str, login: str = LOGIN) -> str:
        return f"{scheme}://{login}@127.0.0.1:{self._port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speak = {b"\x05": self._socks5, b"\x04": self._socks4}.get(await reader.readexactly(1), self._http)
        try:
            target = await speak(reader, writer)
            if target is None:
                self.refused += 1
                return
            self.targets.append(f"{target[0]}:{target[1]}")
            there, away = await asyncio.open_connection(*target)
            await asyncio.gather(_pass_on(reader, away), _pass_on(there, writer))
        finally:
            writer.close()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if f"Basic {login}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        host, _, port = head.split()[1].rpartition(":")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host, int(port)

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02")  # a user and a password, please
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        is_known = (user.decode(), password.decode()) == (USER, PASSWORD)
        writer.write(b"\x01\x00" if is_known else b"\x01\x01")
        if not is_known:
            return None
        kind = (await reader.readexactly(4))[3]
        if kind == 1:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return host, port

    async def _socks4(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        _, port, address = struct.unpack(">BH4s", await reader.readexactly(7))
        await reader.readuntil(b"\x00")
        host = socket.inet_ntoa(address)
        if address[:3] == bytes(3):  # a name follows
            host = (await reader.readuntil(b"\x00"))[:-1].decode()
        writer.write(b"\x00\x5a" + bytes(6))
        return host, port


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
