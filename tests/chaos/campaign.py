"""One chaos run: users send notes, the planned faults are injected, and at the end chats and ledger are judged."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bot.playground.server import Playground
from storage.database import open_database
from storage.errors import DatabaseFault
from storage.ledger import Ledger
from tests.chaos.deployment import Deployment, deployed
from tests.chaos.fault_injection import FaultInjector
from tests.chaos.ledger_leases import LedgerLeases, TakeOver, TakeOvers
from tests.chaos.plan import FORGETFUL, KILLS, Fault
from tests.chaos.random_faults import random_faults
from tests.chaos.senders import Senders
from tests.chaos.verdict import Entry, Verdict, judge, quantile, unexplained, unsettled
from tests.end_to_end.installation import Installation

SETTLE_S = 120.0
QUIET_S = 3.0  # what comes twice may come late
LOOK_S = 0.5
SETTINGS = {
    "EARSHOT_ACCESS__OPEN": "true",
    "EARSHOT_ENGINE__MODEL": "fake",
    "EARSHOT_ENGINE__FAKE_RTF": "0.4",
    "EARSHOT_WORKERS__GRACE_S": "5",
    "EARSHOT_WORKERS__NOTES_AT_ONCE": "3",
}


class DatabaseInUse(Exception):
    """The database holds voice notes, which are somebody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is to be done: so many notes, these faults, and a share of all requests to Telegram that fails."""

    notes: int
    faults: Sequence[Fault]
    seed: int
    failing_share: float = 0.03
    database_url: str = ""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    verdict: Verdict
    unsettled: list[str]
    violations: list[str]
    crashes: list[str]
    take_overs: list[TakeOver]
    duration_s: float

    @property
    def is_good(self) -> bool:
        """Tell whether every promise was kept."""
        return not (self.verdict or self.unsettled or self.violations or self.crashes)


async def carry_out(campaign: Campaign, folder: Path, tell: Callable[[str], None]) -> Outcome:
    """Run the campaign with its data in `folder`, and `tell` what happens."""
    began = monotonic()
    playground = Playground()
    await playground.start()
    (folder / "settings.toml").touch()
    place = Installation(playground, folder, SETTINGS | {"EARSHOT_DATABASE__URL": campaign.database_url})
    database = await open_database(campaign.database_url, folder)
    if any((await Ledger(database).counts_by_state()).values()):
        await database.close()
        raise DatabaseInUse
    run = Run(campaign, place, LedgerLeases(database), lambda words: tell(f"{monotonic() - began:7.1f} s  {words}"))
    try:
        await run.through()
        return await run.outcome(monotonic() - began)
    finally:
        await database.close()
        await playground.stop()


@dataclass(slots=True)
class Run:
    """A campaign under way."""

    campaign: Campaign
    place: Installation
    ledger_leases: LedgerLeases
    tell: Callable[[str], None]
    senders: Senders = field(init=False)
    take_overs: TakeOvers = field(init=False)
    dice: random.Random = field(init=False)
    crashes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Bring the people together."""
        self.dice = random.Random(f"run {self.campaign.seed}")  # noqa: S311 - no secret
        self.senders = Senders(self.place.playground, self.place.folder, self.campaign.notes, self.campaign.seed)
        self.take_overs = TakeOvers(self.ledger_leases)

    async def through(self) -> None:
        """Start everybody, do everything, and stop everybody in good order."""
        async with deployed(self.place, self.dice) as deployment:
            await deployment.ready()
            self.tell("everybody is ready")
            self.place.playground.faults.draw = random_faults(self.campaign.failing_share, self.campaign.seed)
            watching = asyncio.create_task(self.take_overs.watch())
            try:
                await self._send_and_disturb(deployment)
                self.place.playground.faults.draw = lambda _: None
                self.tell("all is sent and done; what is left is waited for")
                await self._settled(deployment)
            finally:
                watching.cancel()
                self.crashes = deployment.crashes
        self.tell("everybody is stopped")

    async def _send_and_disturb(self, deployment: Deployment) -> None:
        fault_injection = FaultInjector(deployment, self.ledger_leases, self.take_overs, self.dice)
        waiting = list(self.campaign.faults)
        async with asyncio.TaskGroup() as tasks:

            def on_sent(notes: int) -> None:
                while waiting and waiting[0].after_notes <= notes:
                    tasks.create_task(self._disturb(fault_injection, waiting.pop(0)))

            await self.senders.send_all(on_sent)

    async def _disturb(self, fault_injection: FaultInjector, fault: Fault) -> None:
        await asyncio.sleep(fault.delay_s)
        lasting = f" for {fault.lasts_s:.1f} s" if fault.lasts_s else ""
        open_notes = len(self.senders.unanswered())
        self.tell(f"{len(self.senders.asked):5} sent {open_notes:4} open  {fault.kind}{lasting}")
        await fault_injection.do(fault)

    async def _settled(self, deployment: Deployment) -> None:
        """Wait until everything is as it should be, but no longer than it may take; then stop everybody."""
        ends = monotonic() + SETTLE_S
        await deployment.ready()
        while monotonic() < ends and not await self._is_settled():  # noqa: ASYNC110 - chats and ledger are looked at from outside
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(QUIET_S)
        await deployment.close()

    async def _is_settled(self) -> bool:
        with suppress(DatabaseFault):
            return not (self._judged() or await self.ledger_leases.all())
        return False

    def _judged(self) -> Verdict:
        return judge(self.senders.asked, self.senders.said())

    async def outcome(self, duration_s: float) -> Outcome:
        """Judge what the chats and the ledger show."""
        return Outcome(
            verdict=self._judged(),
            unsettled=unsettled(self.senders.asked, await self._ledger()),
            violations=unexplained(self.place.playground.violations, self._forgetful()),
            crashes=self.crashes,
            take_overs=self.take_overs.measured,
            duration_s=duration_s,
        )

    def _forgetful(self) -> int:
        return sum(fault.kind in FORGETFUL for fault in self.campaign.faults)

    async def _ledger(self) -> list[Entry]:
        """Give what the program itself tells of every note."""
        told = json.loads(await self.place.ask("history", "--json", "--limit", str(self.campaign.notes + 1)))
        return [
            Entry(note["chat"], note["message"], note["state"], bool(note["delivered_at"]), note["text"])
            for note in told
        ]


def as_figures(campaign: Campaign, outcome: Outcome) -> dict[str, float]:
    """Give the run in numbers."""
    verdict, seconds = outcome.verdict, [take_over.seconds for take_over in outcome.take_overs]
    return {
        "seed": campaign.seed,
        "notes": campaign.notes,
        "kills": sum(fault.kind in KILLS for fault in campaign.faults),
        "troubles": sum(fault.kind not in KILLS for fault in campaign.faults),
        "lost": len(verdict.lost),
        "twice": len(verdict.twice),
        "wrong": len(verdict.wrong),
        "stray": len(verdict.stray),
        "leftovers": len(verdict.leftovers),
        "unsettled": len(outcome.unsettled),
        "violations": len(outcome.violations),
        "crashes": len(outcome.crashes),
        "takeovers": len(seconds),
        "takeover_median_s": round(quantile(seconds, 0.5), 1),
        "takeover_p95_s": round(quantile(seconds, 0.95), 1),
        "takeover_max_s": round(max(seconds, default=0.0), 1),
        "duration_s": round(outcome.duration_s, 1),
    }
