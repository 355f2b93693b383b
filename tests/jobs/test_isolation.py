import asyncio

from jobs.isolation import Isolation


class Party:
    """Notes in one process, and who of them is inside."""

    def __init__(self) -> None:
        self.isolation = Isolation()
        self.inside: set[str] = set()
        self._leaving: dict[str, asyncio.Event] = {}
        self._stays: dict[str, asyncio.Task[None]] = {}

    async def comes(self, name: str, *, suspect: bool = False) -> None:
        self._leaving[name] = asyncio.Event()
        self._stays[name] = asyncio.create_task(self._stay(name, suspect=suspect))
        await settled()

    async def leaves(self, name: str) -> None:
        self._leaving[name].set()
        await settled()

    async def gives_up(self, name: str) -> None:
        self._stays[name].cancel()
        await settled()

    async def _stay(self, name: str, *, suspect: bool) -> None:
        async with self.isolation.slot(suspect=suspect):
            self.inside.add(name)
            try:
                await self._leaving[name].wait()
            finally:
                self.inside.discard(name)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_notes_are_in_the_engine_together() -> None:
    party = Party()
    for name in ("a", "b", "c"):
        await party.comes(name)
    assert party.inside == {"a", "b", "c"}
    assert not party.isolation.has_suspects


async def test_a_suspect_waits_until_nobody_is_there_and_then_nobody_comes_until_it_left() -> None:
    party = Party()
    await party.comes("a")
    await party.comes("suspect", suspect=True)
    assert (party.inside, party.isolation.has_suspects) == ({"a"}, True)
    await party.leaves("a")
    await party.comes("b")
    await party.comes("c")
    assert (party.inside, party.isolation.has_suspects) == ({"suspect"}, True)
    await party.leaves("suspect")
    assert (party.inside, party.isolation.has_suspects) == ({"b", "c"}, False)


async def test_suspects_go_one_after_the_other() -> None:
    party = Party()
    for name in ("first", "second"):
        await party.comes(name, suspect=True)
    assert party.inside == {"first"}
    await party.leaves("first")
    assert (party.inside, party.isolation.has_suspects) == ({"second"}, True)


async def test_who_is_handed_back_while_it_waits_or_works_holds_up_nobody() -> None:
    party = Party()
    await party.comes("a")
    await party.comes("suspect", suspect=True)
    await party.gives_up("suspect")
    assert not party.isolation.has_suspects
    await party.gives_up("a")
    await party.comes("another", suspect=True)
    assert party.inside == {"another"}
