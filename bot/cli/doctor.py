"""`earshot doctor`: checks whether everything that Earshot needs is in place, and names the remedy where it is not."""

import array
import asyncio
import math
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import click

from bot.cli.startup import print_json, start_command
from bot.config.loading import InvalidSettings
from bot.config.request_defaults import default_request
from bot.config.settings import Settings, settings_file
from bot.process.connections import open_ledger, open_redis
from bot.telegram.errors import TokenMissing
from engine import (
    CATALOGUE,
    FAKE_MODEL,
    SPEAKER_MODEL,
    VAD_MODEL,
    Fault,
    check_exports,
    check_languages,
    check_requirements,
    current_decision,
    decode,
    is_downloaded,
)
from jobs.redis import REDIS_ERRORS
from jobs.redis_refusals import check_not_refused
from jobs.redis_server import find_server
from storage.artefacts.store import check_store, open_stores

FREE_GB = 1.0
GB = 1e9
RATE = 16_000
NO_ADMIN = "the bot has no admin yet: open the link https://t.me/…?start=… that `earshot run` prints when it starts"


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, whether it passed, and what was seen or what to do."""

    name: str
    ok: bool
    says: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, as_json: bool) -> int:
    """Check whether everything is in place, and say what to do where it is not."""
    try:
        findings = asyncio.run(report(start_command("doctor"), is_printed=not as_json))
    except InvalidSettings as wrong:
        if not as_json:
            raise
        findings = [Finding("settings", ok=False, says=wrong.message)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    return 0 if all(finding.ok for finding in findings) else 1


async def report(settings: Settings, *, is_printed: bool) -> list[Finding]:
    """Run all checks, and print each finding as soon as it is known."""
    findings = []
    async for finding in run_checks(settings):
        findings.append(finding)
        if is_printed:
            click.echo(f"{'ok    ' if finding.ok else 'WRONG '} {finding.name:9} {finding.says}")
    return findings


async def run_checks(settings: Settings) -> AsyncIterator[Finding]:
    """Run one check after the other."""
    yield Finding("settings", ok=True, says=f"read from {settings_file()} and the environment")
    for name, check in CHECKS.items():
        try:
            yield Finding(name, ok=True, says=await check(settings))
        except Fault as fault:
            yield Finding(name, ok=False, says=str(fault))
        except CheckFailed as failed:
            yield Finding(name, ok=False, says=str(failed))


class CheckFailed(Exception):
    """A check failed; `str()` names the remedy."""


async def token(settings: Settings) -> str:
    """Check the bot token with Telegram."""
    if not settings.telegram.token.get_secret_value():
        raise TokenMissing
    from bot.telegram.proxy import proxy_place  # noqa: PLC0415 - as below
    from bot.telegram.token_check import PRIVACY_MODE, TelegramUnavailable, fetch_bot  # noqa: PLC0415 - it loads aiogram: one second, only to ask Telegram

    try:
        me = await fetch_bot(settings.telegram)
    except TelegramUnavailable as reason:
        raise CheckFailed(str(reason)) from None
    through = f" through the proxy {proxy}" if (proxy := proxy_place(settings.telegram)) else ""
    return f"the bot is @{me.username}{through}" + ("" if me.can_read_all_group_messages else f"; {PRIVACY_MODE}")


async def redis(settings: Settings) -> str:
    """Check that the configured Redis answers, or that the embedded one can be started."""
    client = open_redis(settings)
    try:
        await check_not_refused(client)
        await client.ping()
    except REDIS_ERRORS as error:
        if settings.redis.url:
            raise CheckFailed(
                f"Redis does not answer ({type(error).__name__}). Start it, or correct redis.url."
            ) from None
        return f"`earshot run` starts its own, {find_server()}"
    finally:
        await client.aclose(close_connection_pool=True)
    return "answers" if settings.redis.url else "the embedded one is up"


async def database(settings: Settings) -> str:
    """Check that the ledger opens and is up to date."""
    async with open_ledger(settings) as ledger:
        notes = sum((await ledger.counts_by_state()).values())
        bot_id = settings.telegram.token.get_secret_value().partition(":")[0]
        has_admin = settings.access.admins or not bot_id or await ledger.has_admin(int(bot_id))
    where = "the database that is set" if settings.database.url else settings.data_dir
    return f"{notes} voice notes in {where}" + ("" if has_admin else f"; {NO_ADMIN}")


async def artefacts(settings: Settings) -> str:
    """Check that recordings and texts can be put into their store, and deleted."""
    store = open_stores(settings.artefacts.url, settings.data_dir)[0]
    await check_store(store)
    return f"files can be kept in {store.where}"


async def model(settings: Settings) -> str:
    """Check that the model is downloaded and can run as the settings ask, without loading it, which takes too long."""
    name = settings.engine.model
    check_languages(settings.engine)
    check_requirements(settings.engine)
    words = len(default_request(settings.engine).hotwords)
    if (
        settings.engine.speakers != "off"
        and name != FAKE_MODEL
        and not (settings.engine.models_dir / SPEAKER_MODEL).is_dir()
    ):
        raise CheckFailed(
            "What tells speakers apart is not on this machine. "
            f"`earshot models pull {SPEAKER_MODEL}` fetches it; so does the next start."
        )
    if is_downloaded(settings.engine):
        check_exports(settings.engine)
        decision = current_decision(settings.engine)
        return (
            f"{name} is here"
            + (f", {words} hotwords too" if settings.engine.hotwords else "")
            + (f"; it runs in {decision.precision}: {decision.reason}" if decision else "")
        )
    if name in CATALOGUE:
        raise CheckFailed(
            f"{name} is not on this machine. `earshot models pull {name}` fetches it; so does the next start."
        )
    raise CheckFailed(
        f"{name} lacks {VAD_MODEL}. `earshot models pull {VAD_MODEL}` fetches it; so does the next start."
    )


async def audio(settings: Settings) -> str:
    """Check that a second of audio can be decoded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tone.wav"
        write_tone(path)
        seconds = decode(path, max_audio_s=settings.engine.max_audio_s).duration
    return f"decoded {seconds:.0f} s of sound with PyAV {version('av')}; no ffmpeg is needed"


async def disk(settings: Settings) -> str:
    """Check that the data folder's disk has free space."""
    folder = next(place for place in (settings.data_dir, *settings.data_dir.absolute().parents) if place.exists())
    free_gb = shutil.disk_usage(folder).free / GB
    if free_gb < FREE_GB:
        raise CheckFailed(f"Only {free_gb:.1f} GB are free at {folder}. Make room, or set data_dir to another disk.")
    return f"{free_gb:.0f} GB free at {folder}"


def write_tone(path: Path) -> None:
    """Write one second of a 440 Hz tone as a WAV file."""
    samples = array.array("h", (round(8000 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


CHECKS = {
    "token": token,
    "redis": redis,
    "database": database,
    "artefacts": artefacts,
    "model": model,
    "audio": audio,
    "disk": disk,
}
