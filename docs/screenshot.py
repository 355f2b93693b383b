"""Takes docs/chat.png: runs `earshot demo`, opens its chat page in headless Chromium, and sends a second voice note.

Run it as `.venv/bin/python docs/screenshot.py`. It needs Chromium, and a font with emoji to look right.
"""

import asyncio
import base64
import itertools
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import aiohttp
import av
import av.filter
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
PICTURE = PROJECT / "docs" / "chat.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",  # it opens nothing but our own page, and root may not have one
    "--remote-debugging-port=0",
    "--hide-scrollbars",
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2",  # as with a mouse: buttons for the mouse stay hidden
)
WIDTH, HEIGHT, SCALE = 480, 574, 2
REPEATS = 18  # of the ten-second sample: long enough to be seen while it is transcribed
START_S, ANSWER_S, POLL_S = 600, 600, 0.05  # a busy machine is slow
FLASH_S = 1.0  # for so long the page frames what has just changed
ADDRESS = re.compile(r"Talk to the bot at (http://\S+)")
SAMPLE = "document.querySelector('#log audio')?.src"
SHOWS_PROGRESS = "/Transcribing… \\d+ %/.test(document.getElementById('log').innerText)"


async def main() -> None:
    """Write the picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is missing. On Debian: apt install chromium fonts-noto-core fonts-noto-color-emoji")
    with tempfile.TemporaryDirectory() as name, demo() as address:
        note = Path(name) / "note.ogg"
        async with page(browser, Path(name), address) as tab:
            await tab.until(SAMPLE)
            write_long_note(await fetched(await tab.value(SAMPLE)), note)
            await tab.choose_file("#files", note)
            await tab.until(SHOWS_PROGRESS)
            await asyncio.sleep(FLASH_S)
            await asyncio.to_thread(PICTURE.write_bytes, with_palette(await tab.picture()))
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB")  # noqa: T201 - this is a script


@contextmanager
def demo() -> Iterator[str]:
    """Run `earshot demo` as on a terminal, where it stays, and give the address of its page."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=PROJECT, env=environment
    )
    os.close(theirs)
    try:
        yield address_in(ours)
    finally:
        process.terminate()  # the demo ends itself and all that it started
        process.wait(START_S)
        os.close(ours)


def address_in(terminal: int) -> str:
    """Read what the demo prints until it names its address."""
    printed = ""
    while not (found := ADDRESS.search(printed)):
        try:
            printed += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other end is closed: it has ended
            sys.exit(f"The demo did not start:\n{printed}")
    return found[1]


async def fetched(address: str) -> bytes:
    """Give what is at an address."""
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return await response.read()


def write_long_note(recording: bytes, target: Path) -> None:
    """Write the recording, a WAV file, several times over as a voice note."""
    with wave.open(BytesIO(recording)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    with av.open(str(target), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.tile(samples, REPEATS)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        for part in av.AudioResampler("s16", "mono", 48_000, frame_size=960).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


class Tab:
    """A page in the browser, driven through the Chrome DevTools Protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Drive the page behind this socket."""
        self._socket, self._numbers = socket, itertools.count(1)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method and give its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async for message in self._socket:
            answer = json.loads(message.data)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return cast("dict[str, Any]", answer["result"])
        raise RuntimeError("the browser has closed")

    async def value(self, expression: str) -> Any:  # noqa: ANN401 - JSON can be anything
        """Give the value of a JavaScript expression."""
        return (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript expression holds."""
        async with asyncio.timeout(ANSWER_S):
            while not await self.value(f"Boolean({condition})"):  # noqa: ASYNC110 - the page tells nobody
                await asyncio.sleep(POLL_S)

    async def choose_file(self, field: str, file: Path) -> None:
        """Do what a person does who chooses a file in a dialog."""
        document = await self.call("DOM.getDocument")
        found = await self.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=field)
        await self.call("DOM.setFileInputFiles", files=[str(file)], nodeId=found["nodeId"])

    async def picture(self) -> bytes:
        """Give the page as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def page(browser: str, folder: Path, address: str) -> AsyncIterator[Tab]:
    """Open an address in a headless browser with a profile of its own, in the size of a small window."""
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        *(browser, *OPTIONS, f"--user-data-dir={profile}", "about:blank"), stderr=subprocess.DEVNULL
    )
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await socket_of(session, profile), max_msg_size=0) as socket,
        ):
            tab = Tab(socket)
            await tab.call("Emulation.setLocaleOverride", locale="en-GB")
            size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": SCALE, "mobile": False}
            await tab.call("Emulation.setDeviceMetricsOverride", **size)
            await tab.call("Page.navigate", url=address)
            yield tab
    finally:
        process.terminate()
        await process.wait()


async def socket_of(session: aiohttp.ClientSession, profile: Path) -> str:
    """Wait until the browser is up, and give the socket through which its page is driven."""
    port_file = profile / "DevToolsActivePort"
    while True:
        await asyncio.sleep(POLL_S)
        written = port_file.read_text() if port_file.exists() else ""
        if not written:
            continue
        async with session.get(f"http://127.0.0.1:{written.split()[0]}/json") as answer:
            for target in await answer.json():
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])


def with_palette(png: bytes) -> bytes:
    """Write a PNG anew with 256 colours at most, which takes half the room."""
    with av.open(BytesIO(png), mode="r") as container:
        frame = next(container.decode(video=0))
        graph = av.filter.Graph()
        source, split = graph.add_buffer(template=container.streams.video[0]), graph.add("split")
    palette, use = graph.add("palettegen", "reserve_transparent=0"), graph.add("paletteuse", "dither=none")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    graph.vpush(None)
    encoder = av.VideoCodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "pal8"
    encoder.time_base, encoder.options = Fraction(1), {"compression_level": "9"}
    return b"".join(bytes(packet) for packet in (*encoder.encode(graph.vpull()), *encoder.encode(None)))


if __name__ == "__main__":
    asyncio.run(main())
