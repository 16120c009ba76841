"""Killed at every await of a scripted day, the grid comes back whole (F9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.market_maker.orders.events import Cancel, Command, OrderBatch, Place, PriceUpdate
from opensqt.market_maker.store.store import Store
from opensqt.model.order import OrderUpdate
from tests.unit.market_maker.venue import SYMBOL, Bench, MiniVenue, price

MOMENTS = {"before the commit": 10, "after the commit": 10, "after the first half was sent": 2, "after all was sent": 5}
"""With the number of turns, at least, that have such a moment: few have more than one order to send."""


class Killed(Exception):
    """The process is gone."""


class Mortal(Bench):
    """A bench that commits to a real database, and dies at one moment of one turn."""

    def __init__(self, store: Store, venue: MiniVenue, *, turn: int, moment: str) -> None:
        super().__init__(venue=venue)
        self._store, self._turn, self._moment, self._turns = store, turn, moment, 0

    async def live(self, script: list[Callable[[Mortal], None]]) -> None:
        """Go through the script as the service does: decide, commit, act, hear the answers."""
        for scene in script:
            scene(self)
            for _ in range(30):
                await self._take_turn()

    async def _take_turn(self) -> None:
        news, self.venue.updates = tuple(self.venue.updates), []
        if news:
            self.tell_only(news)
        self.think()
        commands, self.commands = self.commands, []
        if not commands and not self.changes[-1]:
            self.changes.clear()
            return
        self._turns += 1
        self._die_if("before the commit")
        for changes in self.changes:
            if changes:
                await self._store.commit(SYMBOL, changes)
        self.changes.clear()
        self._die_if("after the commit")
        for command in commands:
            self._act(command)

    def tell_only(self, news: tuple[OrderUpdate, ...]) -> None:
        self.engine.handle(OrderBatch(news, gap=False), self.now)

    def _act(self, command: Command) -> None:
        halves = _halves(command)
        for half in halves:
            events = self.answer(half)
            self._die_if("after all was sent" if half is halves[-1] else "after the first half was sent")
            for event in events:
                self.engine.handle(event, self.now)

    def _die_if(self, moment: str) -> None:
        if self._turns == self._turn and moment == self._moment:
            raise Killed


def _halves(command: Command) -> list[Command]:
    match command:
        case Place(requests) if len(requests) > 1:
            return [Place(requests[:1]), Place(requests[1:])]
        case Cancel(refs) if len(refs) > 1:
            return [Cancel(refs[:1]), Cancel(refs[1:])]
    return [command]


def _fill_at(at: int) -> Callable[[Mortal], None]:
    def scene(bench: Mortal) -> None:
        for order in bench.venue.open_orders:
            if order.price == at:
                bench.venue.fill(order.client_order_id)

    return scene


def _show(at: int) -> Callable[[Mortal], None]:
    return lambda bench: bench.engine.handle(PriceUpdate(price(at)), bench.now)


DAY = [_show(1000), _fill_at(990), _show(986), _fill_at(980), _show(994), _fill_at(1000), _show(1034)]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_at_any_await_it_comes_back_to_the_same_grid(tmp_path: Path, moment: str) -> None:
    """F9: position exact, one order a level, the wanted orders live, whatever the turn it died in."""
    deaths = 0
    for turn in range(1, 20):
        venue = MiniVenue()
        url = f"sqlite:///{tmp_path}/{turn}.db"
        store = await Store.open(url)
        mortal = Mortal(store, venue, turn=turn, moment=moment)
        try:
            await mortal.live(DAY)
        except Killed:
            deaths += 1
        await store.close()
        await _comes_back(url, venue)
    assert deaths >= MOMENTS[moment], "the script has to be killed at many of its turns"


async def _comes_back(url: str, venue: MiniVenue) -> None:
    venue.updates.clear()
    store = await Store.open(url)
    bench = Bench(await store.load(SYMBOL), venue, first_sequence=10_000)
    await store.close()
    bench.start(1034)
    for _ in range(22):
        bench.wait(1)
    state = bench.engine.state
    names = [state.ids.read(order.client_order_id) for order in venue.open_orders]
    levels = Counter(name.level for name in names if name is not None)
    assert all(count == 1 for count in levels.values())
    assert state.position == venue.position
    assert {order.client_order_id for order in state.live_orders()} == {o.client_order_id for o in venue.open_orders}
    assert state.grid is not None
    wanted = [level for level in state.grid.buy_levels(price(1034).mid, 5) if not state.slot(level).quantity]
    assert list(bench.buys) == wanted
    assert not bench.engine.halt_reason
