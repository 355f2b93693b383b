import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from engine.errors import DownloadBroken, HubUnreachable
from engine.hub import hubs
from engine.hub.hubs import download_repository
from engine.hub.sources import RemoteFile, Repository

WEIGHTS = bytes(range(256)) * 4000
CONFIG = b"model: SenseVoiceSmall\n"
FILES = {"model.pt": WEIGHTS, "config.yaml": CONFIG, "README.md": b"# read me"}
REPOSITORY = Repository(modelscope="iic/Some", huggingface="some/Some")


@dataclass
class Hub:
    """A model hub on this machine, of either kind. A large file breaks off, or freezes, after so many bytes."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    break_off_after: list[int] = field(default_factory=list)
    freezes: bool = False
    closing: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> bytes | None:
        listed = [name for name in self.files if "/" not in name or "recursive=true" in path.lower()]
        if "/repo/files?Revision=master" in path:
            return json.dumps({"Data": {"Files": [self.modelscope_file(name) for name in listed]}}).encode()
        if "/tree/" in path:
            return json.dumps([self.huggingface_file(name) for name in listed]).encode()
        if "/resolve/" in path:
            path = path.partition("/resolve/")[2].partition("/")[2]
        return self.files.get(path.rpartition("FilePath=")[2].removeprefix("/"))

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
                if served.freezes and cut < len(content):
                    served.closing.wait()

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    served.closing.set()
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


ANSWER_TIMEOUT_S = hubs.ANSWER_TIMEOUT_S


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a hub all the time that a busy machine may take to answer."""
    monkeypatch.setattr(hubs, "ANSWER_TIMEOUT_S", 3600.0)
    monkeypatch.setattr(hubs, "PROBE_TIMEOUT_S", 3600.0)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the pauses between two tries, instead of making them."""
    pauses: list[float] = []
    monkeypatch.setattr(hubs, "sleep", pauses.append)
    return pauses


class Answers(SimpleQueue[tuple[RemoteFile, ...]]):
    """A queue of answers with a clock of its own: the first answers take `seconds`, after them none comes."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self.seconds = list(seconds)
        self.now = 0.0

    def get(self, block: bool = True, timeout: float | None = None) -> tuple[RemoteFile, ...]:  # noqa: FBT001, FBT002
        assert block
        assert timeout is not None
        if not self.seconds:
            self.now += timeout
            raise Empty
        self.now += self.seconds.pop(0)
        return super().get()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let the client wait by a clock of the test's own."""
    answers = Answers()
    monkeypatch.setattr(hubs, "ANSWER_TIMEOUT_S", ANSWER_TIMEOUT_S)
    monkeypatch.setattr(hubs, "SimpleQueue", lambda: answers)
    monkeypatch.setattr(hubs, "monotonic", lambda: answers.now)
    return answers


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
def test_only_the_named_subfolder_is_downloaded(
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


def test_a_pinned_hash_counts_more_than_the_hub_s(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    with pytest.raises(DownloadBroken, match="SHA-256"):
        fetch_quietly(Repository(modelscope="iic/Some", sha256={"model.pt": "0" * 64}), tmp_path)


def test_an_empty_file_is_downloaded_too(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=hub.address)
    monkeypatch.setitem(FILES, "empty.txt", b"")
    hub.files["empty.txt"] = b""
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED | {"empty.txt": b""}


def test_the_pinned_revision_is_downloaded(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=hub.address)
    fetch_quietly(replace(REPOSITORY, huggingface_revision="c0ffee"), tmp_path)
    assert sorted(hub.asked) == [
        "/api/models/some/Some/tree/c0ffee",
        "/some/Some/resolve/c0ffee/config.yaml",
        "/some/Some/resolve/c0ffee/model.pt",
    ]


def test_a_download_that_breaks_off_every_time_ends_in_an_error_and_is_continued_later(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_pauses: list[float]
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    hub.break_off_after = [100_000] * hubs.TRIES
    with pytest.raises(DownloadBroken, match=r"model\.pt failed: the connection broke off"):
        fetch_quietly(REPOSITORY, tmp_path)
    assert (tmp_path / "model.pt").read_bytes() == WEIGHTS[: 100_000 * hubs.TRIES]
    assert no_pauses == list(range(hubs.TRIES))
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED


def test_a_download_that_freezes_ends_in_an_error(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=refused)
    hub.break_off_after = [100_000] * hubs.TRIES
    hub.freezes = True
    monkeypatch.setattr(hubs, "STALL_TIMEOUT_S", 0.1)
    with pytest.raises(DownloadBroken, match=r"model\.pt failed: .*timed out"):
        fetch_quietly(REPOSITORY, tmp_path)


def test_the_proxy_of_the_environment_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://modelscope.invalid")
    monkeypatch.setenv("http_proxy", hub.address)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first request
    assert fetch_quietly(Repository(modelscope="iic/Some"), tmp_path) == NEEDED
    assert all(address.startswith("http://modelscope.invalid/api/") for address in hub.asked)


def test_a_socks_proxy_for_telegram_does_not_stop_a_download(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=hub.address)
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies of its first request
    monkeypatch.setenv("all_proxy", refused.replace("http://", "socks5h://"))
    assert fetch_quietly(REPOSITORY, tmp_path) == NEEDED


def test_nothing_is_written_but_the_files(
    hub: Hub, refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=hub.address)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(name, str(home))
    folder = tmp_path / "model"
    folder.mkdir()
    fetch_quietly(REPOSITORY, folder)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert found == {"home", "model", "model/model.pt", "model/config.yaml"}


def test_refused_connections_are_reported_without_waiting(
    refused: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_pauses: list[float]
) -> None:
    use(monkeypatch, modelscope=refused, huggingface=refused)
    with pytest.raises(HubUnreachable, match="EARSHOT_ENGINE__MODEL=starter"):
        fetch_quietly(REPOSITORY, tmp_path)
    assert no_pauses == []


def test_silent_hubs_are_reported_within_ten_seconds(
    silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: Answers
) -> None:
    use(monkeypatch, modelscope=silent, huggingface=silent)
    with pytest.raises(HubUnreachable):
        fetch_quietly(REPOSITORY, tmp_path)
    assert 0 < answers.now < 10


def test_a_hub_that_fails_late_leaves_no_more_time_to_a_silent_one(
    hub: Hub, silent: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: Answers
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=silent)
    hub.files.clear()
    answers.seconds = [6.0]
    with pytest.raises(HubUnreachable):
        fetch_quietly(REPOSITORY, tmp_path)
    assert 6 < answers.now < 10


MODELSCOPE_PAGES = (
    b'{"Data": null}',
    b'{"Data": {"Files": [1]}}',
    b'{"Data": {"Files": [{"Path": 1, "Type": "blob"}]}}',
)
PAGES = (b"<html>please log in</html>", b"{}", b"[]", b"null", b"[1]", b'[{"path": 1, "type": "file"}]', b"\xff\xfe")


@pytest.mark.parametrize(
    ("repository", "page"),
    [
        *product((Repository(modelscope="a/b"), Repository(huggingface="a/b")), PAGES),
        *product((Repository(modelscope="a/b"),), MODELSCOPE_PAGES),
    ],
)
def test_a_login_page_is_no_hub(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repository: Repository, page: bytes
) -> None:
    use(monkeypatch, modelscope=hub.address, huggingface=hub.address)
    monkeypatch.setattr(hub, "answer", lambda _: page)
    with pytest.raises(HubUnreachable):
        fetch_quietly(repository, tmp_path)
