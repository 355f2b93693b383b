"""A line to a server that can be slow, cut or frozen, for every byte that passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class RoughProxy:
    """The line. `pause_s` comes before every piece, `cut_after` bytes to the server end a connection."""

    port: int = 0
    pause_s: float = 0.0
    cut_after: int | None = None
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        """Pass on what comes, until either side ends."""
        passed = 0
        with suppress(OSError):
            while piece := await reader.read(16384):
                passed += len(piece)
                await asyncio.sleep(self.pause_s)
                if to_server and self.cut_after is not None and passed > self.cut_after:
                    for one in self.open:
                        one.transport.abort()
                    return
                writer.write(piece)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def rough_proxy(server_port: int) -> AsyncIterator[RoughProxy]:
    """Pass connections on to the server inside the block."""
    proxy = RoughProxy()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server_port)
        proxy.open |= {writer, inner_writer}
        await asyncio.gather(
            proxy.pass_on(reader, inner_writer, to_server=True), proxy.pass_on(inner_reader, writer, to_server=False)
        )
        proxy.open -= {writer, inner_writer}

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for one in proxy.open:
            one.transport.abort()
