"""What readers of the gateway are told while frames are lost and the connector is killed or stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.model.order import Side
from tests.chaos.gateway_rig import LOT, SYMBOL, Gateway, gateway, request
from tests.chaos.marathon.book import Book
from tests.chaos.marathon.clients import Client, Tally
from tests.chaos.marathon.readers import Comer, Sleeper, Watcher
from tests.chaos.marathon.traders import Batcher, Maker
from tests.chaos.marathon.verdict import differences
from tests.support import eventually

PART = Decimal("0.001")


@asynccontextmanager
async def clients(made: Gateway, *roles: type[Client]) -> AsyncIterator[list[Client]]:
    """Run clients that keep books, and fail when one of them breaks."""
    since_ms = made.simulator.engine.now_ms()
    names = [role.__name__.lower() for role in roles]
    cast = [
        role(
            name,
            Book(name, (SYMBOL,), since_ms),
            lambda name: made.client(name=name, retry_scale=0.05),
            random.Random(name),
            Tally(),
        )
        for role, name in zip(roles, names, strict=True)
    ]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run()) for client in cast]
        try:
            yield cast
        finally:
            for task in running:
                task.cancel()


def told_wrongly(made: Gateway, cast: Sequence[Client], *, ours: bool = False) -> list[str]:
    """How the clients' books differ from the ledger; *ours* says that the test itself places orders."""
    watchers = [client.name for client in cast if isinstance(client, Watcher)]
    found = differences([client.book for client in cast], made.account, watchers=watchers, readers=())
    return [f"{one.who}: {one.what}" for one in found if not (ours and one.who == "ledger")]


async def agree(made: Gateway, cast: Sequence[Client], *, ours: bool = False) -> None:
    """Wait until every client's book equals the ledger."""
    try:
        await eventually(lambda: not told_wrongly(made, cast, ours=ours))
    except AssertionError:
        raise AssertionError("; ".join(told_wrongly(made, cast, ours=ours)[:10])) from None


async def trade(made: Gateway, exchange: Any, rounds: int, between: Any = None) -> None:
    """Place orders that stand first in the book, and have each filled in two parts."""
    for number in range(rounds):
        side = Side.BUY if number % 2 else Side.SELL
        price = await exchange.get_latest_price(SYMBOL)
        first = price.bid + Decimal("0.1") if side is Side.BUY else price.ask - Decimal("0.1")
        await exchange.place_order(request(side, first))
        made.hit(side, PART)
        if between is not None:
            await between(number)
        made.hit(side, LOT - PART)


async def test_no_fill_is_missed_though_frames_are_lost_sockets_cut_and_the_connector_killed(
    tmp_path: Path, large: bool
) -> None:
    """F6: one frame in a hundred lost, cuts in mid-fill, and a kill between two parts of a fill."""
    cuts = 50 if large else 10

    async def spoil(number: int) -> None:
        made.fault(kind="cut", channel="private")
        if number % 5 == 3:
            await made.restart()

    async with gateway("binance", tmp_path) as made, clients(made, Watcher, Comer) as cast:
        made.fault(kind="drop_frames", channel="private", probability="0.01")
        async with made.client() as exchange:
            await trade(made, exchange, cuts, spoil)
        await agree(made, cast, ours=True)
        assert len(made.account["fills"]) == 2 * cuts
        assert made.kills == cuts // 5


async def test_a_burst_is_told_in_full_or_the_gap_is_though_the_connector_is_killed(
    tmp_path: Path, large: bool
) -> None:
    """F7: three readers, one asleep; each counts what it was told against the sequence."""
    rounds = 250 if large else 30
    async with gateway("binance", tmp_path) as made, clients(made, Watcher, Sleeper, Comer) as cast:
        async with made.client() as exchange:
            for _ in range(2):
                await trade(made, exchange, rounds)
                await made.restart()
            await trade(made, exchange, rounds)
        for client in cast:
            client.busy = False
        await agree(made, cast, ours=True)
        assert all(client.book.gaps > 0 for client in cast)


async def test_a_restart_under_load_loses_nothing_for_clients_that_resume(tmp_path: Path) -> None:
    """F30: two trade and one watches while the connector is stopped in good order and started again."""
    async with gateway("binance", tmp_path, still=False) as made, clients(made, Maker, Batcher, Watcher) as cast:
        for _ in range(2):
            orders = len(made.account["orders"])
            await eventually(lambda orders=orders: len(made.account["orders"]) > orders + 10)
            assert await made.stop() == 0
            await made.start()
        for client in cast:
            client.busy = False
        await eventually(lambda: all(client.settled for client in cast))
        made.simulator.market.pause(SYMBOL)
        await agree(made, cast)
        assert made.account["duplicate_client_order_ids"] == []
