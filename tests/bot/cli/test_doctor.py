"""The doctor against real parts: a stand-in for Telegram, a real Redis, real files."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from bot.cli.doctor import CHECKS, Finding, run_checks
from bot.config.settings import AccessSettings, Settings, TelegramSettings
from bot.playground.server import Playground
from engine.hub.catalogue import VAD_MODEL
from engine.settings import EngineSettings
from jobs.redis_server import RedisServer
from jobs.settings import RedisSettings
from storage.settings import ArtefactsSettings
from tests.bot.cli.conftest import Earshot
from tests.jobs.redis_servers import PASSWORD, USER, USERS, free_port, redis_process, until_it_answers


class Usage(NamedTuple):
    """What shutil.disk_usage gives."""

    total: int
    used: int
    free: int


@pytest.fixture
async def playground() -> AsyncIterator[Playground]:
    playground = Playground()
    await playground.start()
    yield playground
    await playground.stop()


@pytest.fixture
def settings(playground: Playground, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        telegram=TelegramSettings(token=SecretStr(playground.token), api_base=playground.url),
        engine=EngineSettings(model="fake", models_dir=tmp_path / "models"),
    )


async def found(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding async for finding in run_checks(settings)}


async def test_where_all_is_well_all_is_ok(settings: Settings) -> None:
    findings = await found(settings)
    assert list(findings) == ["settings", *CHECKS]
    assert [finding for finding in findings.values() if not finding.ok] == []
    assert findings["token"].says == "the bot is @earshot_bot"
    assert "no ffmpeg is needed" in findings["audio"].says


async def test_the_embedded_redis_is_seen_when_it_is_up(settings: Settings) -> None:
    server = RedisServer(settings.data_dir)
    await server.start()
    try:
        assert (await found(settings))["redis"].says == "the embedded one is up"
    finally:
        await server.stop()
    assert "starts its own" in (await found(settings))["redis"].says


@pytest.mark.parametrize(
    ("telegram", "advice"),
    [
        ({"token": SecretStr("")}, "@BotFather"),
        ({"token": SecretStr("43:other")}, "refuses"),
        ({"api_base": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
async def test_a_token_that_does_not_work_comes_with_advice(
    settings: Settings, telegram: dict[str, object], advice: str
) -> None:
    changed = settings.model_copy(update={"telegram": settings.telegram.model_copy(update=telegram)})
    finding = (await found(changed))["token"]
    assert not finding.ok
    assert advice in finding.says
    assert "playground" not in finding.says


async def test_a_redis_that_is_set_and_away_comes_with_advice(settings: Settings, tmp_path: Path) -> None:
    away = RedisSettings(url=f"unix://{tmp_path}/nobody.sock")
    finding = (await found(settings.model_copy(update={"redis": away})))["redis"]
    assert not finding.ok
    assert "redis.url" in finding.says


async def test_a_redis_that_refuses_the_password_is_not_called_away(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    with redis_process(tmp_path / "redis", port, USERS):
        await until_it_answers(port, USER, PASSWORD)
        refusing = RedisSettings(url=f"redis://{USER}:wrong@127.0.0.1:{port}")
        finding = (await found(settings.model_copy(update={"redis": refusing})))["redis"]
    assert not finding.ok
    assert "refuses the login" in finding.says


async def test_a_store_of_artefacts_that_cannot_be_used_comes_with_advice(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url, advice in (("http://127.0.0.1:1/bucket", "artefacts.url"), (f"file://{tmp_path}/file", "may write there")):
        away = ArtefactsSettings(url=url)
        finding = (await found(settings.model_copy(update={"artefacts": away})))["artefacts"]
        assert not finding.ok
        assert advice in finding.says


async def test_a_missing_model_comes_with_the_command_that_fetches_it(settings: Settings) -> None:
    engine = settings.engine.model_copy(update={"model": "starter"})
    finding = (await found(settings.model_copy(update={"engine": engine})))["model"]
    assert not finding.ok
    assert "`earshot models pull starter`" in finding.says


async def test_a_folder_of_the_owners_without_its_part_comes_with_the_command_that_fetches_that(
    settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.yaml").write_text("model: SenseVoiceSmall\n")
    engine = settings.engine.model_copy(update={"model": str(own)})
    finding = (await found(settings.model_copy(update={"engine": engine})))["model"]
    assert not finding.ok
    assert "`earshot models pull fsmn-vad`" in finding.says


async def test_a_model_that_cannot_be_prepared_comes_with_what_must_be_writable(
    settings: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    (own / VAD_MODEL).mkdir(parents=True)
    (own / VAD_MODEL / "model.pt").touch()
    (own / "config.yaml").write_text("model: SenseVoiceSmall\n")
    (own / "model.pt").touch()
    engine = settings.engine.model_copy(update={"model": str(own), "device": "cpu"})
    engine.models_dir.write_bytes(b"a file")
    finding = (await found(settings.model_copy(update={"engine": engine})))["model"]
    assert not finding.ok
    assert f"{engine.models_dir} cannot be written to" in finding.says
    engine.models_dir.unlink()
    assert (await found(settings.model_copy(update={"engine": engine})))["model"].ok


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"language": "german"}, "Set engine.language to"),
        ({"hotwords": Path("/gone.txt")}, "engine.hotwords"),
        ({"model": "starter", "precision": "int8"}, "Set engine.precision to"),
    ],
)
async def test_what_does_not_suit_the_model_comes_with_advice(
    settings: Settings, setting: dict[str, object], advice: str
) -> None:
    engine = settings.engine.model_copy(update=setting)
    finding = (await found(settings.model_copy(update={"engine": engine})))["model"]
    assert not finding.ok
    assert advice in finding.says


async def test_the_hotwords_that_are_set_are_counted(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Earshot\nFunASR\n")
    engine = settings.engine.model_copy(update={"hotwords": tmp_path / "words.txt"})
    assert (await found(settings.model_copy(update={"engine": engine})))["model"].says == "fake is here, 2 hotwords too"


async def test_a_full_disk_is_seen(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 3 * 10**8))
    finding = (await found(settings))["disk"]
    assert (finding.ok, finding.says[:20]) == (False, "Only 0.3 GB are free")


async def test_no_finding_shows_the_token(settings: Settings) -> None:
    findings = await found(settings)
    assert settings.telegram.token.get_secret_value() not in json.dumps(
        [vars(finding) for finding in findings.values()]
    )


def test_what_is_wrong_makes_it_1_and_each_line_says_which(earshot: Earshot) -> None:
    done = earshot("doctor")
    assert done.returncode == 1
    lines = dict(line.split(maxsplit=2)[1::-1] for line in done.stdout.splitlines())
    assert lines == {
        "settings": "ok", "token": "WRONG", "redis": "ok", "database": "ok", "artefacts": "ok",
        "model": "ok", "audio": "ok", "disk": "ok",
    }  # fmt: skip


def test_programs_get_a_list(earshot: Earshot) -> None:
    done = earshot("doctor", "--json")
    assert done.returncode == 1
    assert [finding["name"] for finding in json.loads(done.stdout) if not finding["ok"]] == ["token"]


def test_programs_get_a_list_also_where_the_settings_are_wrong(earshot: Earshot) -> None:
    done = earshot("doctor", "--json", EARSHOT_ENGINE__TIMEOUT_S="soon")
    assert (done.returncode, done.stderr) == (1, "")
    (finding,) = json.loads(done.stdout)
    assert (finding["name"], finding["ok"]) == ("settings", False)
    assert finding["says"].startswith("EARSHOT_ENGINE__TIMEOUT_S: ")


def test_people_get_a_line_where_the_settings_are_wrong(earshot: Earshot) -> None:
    done = earshot("doctor", EARSHOT_ENGINE__TIMEOUT_S="soon")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("earshot: EARSHOT_ENGINE__TIMEOUT_S: ")


async def test_a_bot_without_an_admin_is_told_of_with_the_remedy(settings: Settings) -> None:
    assert "no admin yet: open the link" in (await found(settings))["database"].says
    ours = settings.model_copy(update={"access": AccessSettings(admins=frozenset({1}))})
    assert "no admin" not in (await found(ours))["database"].says
