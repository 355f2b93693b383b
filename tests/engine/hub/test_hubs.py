import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.errors import DownloadBroken, HubUnreachable
from engine.hub.hubs import download_repository
from engine.hub.sources import RemoteFile, Repository

WEIGHTS = bytes(range(256)) * 4000
CONFIG = b"model: SenseVoiceSmall\n"
FILES = {"model.pt": WEIGHTS, "config.yaml": CONFIG, "README.md": b"# read me"}
REPOSITORY = Repository(modelscope="iic/Some", huggingface="some/Some")


@dataclass
class Hub:
    """A model hub on this machine, in either manner, that can be made to break off."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    break_off_after: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> bytes | None:
        listed = [name for name in self.files if "/" not in name or "recursive=true" in path.lower()]
        if "/repo/files?Revision=master" in path:
            return json.dumps({"Data": {"Files": [self.modelscope_file(name) for name in listed]}}).encode()
        if "/tree/" in path:
            return json.dumps([self.huggingface_file(name) for name in listed]).encode()
        name = path.rpartition("FilePath=")[2] if "FilePath=" in path else path.rpartition("/main/")[2]
        return self.files.get(name.removeprefix("/"))

    def modelscope_file(self, name: str) -> dict[str, object]:
        content = FILES.get(name, CONFIG)
        sha256 = hashlib.sha256(content).hexdigest()
        return {"Path": name, "Type": "blob", "Size": len(content), "Sha256": sha256, "More": None}

    def huggingface_file(self, name: str) -> dict[str, object]:
        large = {"lfs": {"oid": hashlib.sha256(FILES[name]).hexdigest()}} if name == "model.pt" else {}
        return {"type": "file", "path": name, "size": len(FILES.get(name, CONFIG)), "oid": "x", **large}


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content = served.answer(self.path)
            if content is None:
                self.send_error(404)
                return
            begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            if self.command == "GET":
                cut = (
                    served.break_off_after.pop() if served.break_off_after and len(content) > 100_000 else len(content)
                )
                self.wfile.write(content[begin : begin + cut])

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def refused() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def use(monkeypatch: pytest.MonkeyPatch, *, modelscope: str, huggingface: str) -> None:
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", modelscope)
    monkeypatch.setenv("HF_ENDPOINT", huggingface)


def fetch_quietly(repository: Repository, folder: Path) -> dict[str, bytes]:
    download_repository(repository, folder, name="sensevoice", on_progress=lambda *_: None)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


NEEDED = {"model.pt": WEIGHTS, "config.yaml": CONFIG}


def test_modelscope_alone_is_enough(hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED


def test_huggingface_alone_is_enough(hub: Hub, silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, modelscope=silent, huggingface=hub.address + "/")
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED


@pytest.mark.parametrize("first", ["modelscope", "huggingface"])
def test_a_folder_within_comes_along_and_no_other(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: str
) -> None:
    use(monkeypatch, **{"modelscope": refused, "huggingface": refused, first: hub.address})
    hub.files |= {"Words/config.json": CONFIG, "Words/README.md": CONFIG, "example/zh.mp3": CONFIG, "../x": CONFIG}
    repository = Repository(modelscope="iic/Some", huggingface="some/Some", subfolders=("Words",))
    download_repository(repository, tmp_path, name="some", on_progress=lambda *_: None)
    fetched = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert fetched == {"config.yaml", "model.pt", "Words/config.json"}


def test_a_plain_file_is_fetched(hub: Hub, tmp_path: Path) -> None:
    file = RemoteFile(
        path="model.pt", url=f"{hub.address}/model.pt", size=0, sha256=hashlib.sha256(WEIGHTS).hexdigest()
    )
    assert fetch_quietly(Repository(files=(file,)), tmp_path) == {"model.pt": WEIGHTS}


def test_progress_ends_with_all_bytes(hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    seen: list[tuple[str, int, int]] = []
    download_repository(REPOSITORY, tmp_path, name="sensevoice", on_progress=lambda *step: seen.append(step))
    assert ("model.pt", len(WEIGHTS), len(WEIGHTS)) in seen
    assert len(seen) > 3


def test_a_download_that_breaks_off_goes_on_where_it_was(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    hub.break_off_after = [300_000, 200_000]
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED
    assert sum("model.pt" in path for path in hub.asked) == 3


def test_an_earlier_try_is_continued(hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    (tmp_path / "model.pt").write_bytes(WEIGHTS[:500_000])
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED


def test_a_file_of_another_content_is_refused(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    hub.files["model.pt"] = bytes(len(WEIGHTS))
    with pytest.raises(DownloadBroken, match="SHA-256"):
        fetch_quietly(REPOSITORY, tmp_path)
    assert not (tmp_path / "model.pt").exists()


def test_our_own_pin_counts_more_than_the_hub_s_word(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    with pytest.raises(DownloadBroken, match="SHA-256"):
        fetch_quietly(Repository(modelscope="iic/Some", sha256={"model.pt": "0" * 64}), tmp_path)


def test_where_every_connection_is_refused_it_is_said_at_once(
    refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=refused)
    began = time.monotonic()
    with pytest.raises(HubUnreachable, match="EARSHOT_ENGINE__MODEL=starter"):
        fetch_quietly(REPOSITORY, tmp_path)
    assert time.monotonic() - began < 5


def test_where_nobody_answers_it_is_said_within_ten_seconds(
    silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=silent, huggingface=silent)
    began = time.monotonic()
    with pytest.raises(HubUnreachable):
        fetch_quietly(REPOSITORY, tmp_path)
    assert time.monotonic() - began < 10


def test_a_hub_that_fails_late_leaves_no_more_time_to_a_silent_one(
    hub: Hub, silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=silent)
    monkeypatch.setattr("engine.hub.hubs.ANSWER_S", 2.0)
    monkeypatch.setattr(hub, "answer", lambda _: time.sleep(1.7))
    began = time.monotonic()
    with pytest.raises(HubUnreachable):
        fetch_quietly(REPOSITORY, tmp_path)
    assert time.monotonic() - began < 3.2


@pytest.mark.parametrize("page", [b"<html>please log in</html>", b"{}", b"[]", b"null"])
def test_a_login_page_is_no_hub(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: bytes
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    monkeypatch.setattr(hub, "answer", lambda _: page)
    with pytest.raises(HubUnreachable):
        fetch_quietly(REPOSITORY, tmp_path)
