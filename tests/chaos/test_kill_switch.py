"""`opensqt cancel-all` against orders that are on their way, eight clients that go on, and a connector that is killed.

What counts is the simulator's ledger after the command has ended with 0.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import OutcomeUnknown, RateLimited, TradingHalted, Unreachable
from opensqt.model.order import OrderRequest, OrderType, Side
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import UNLIMITED
from tests.chaos.gateway_rig import SYMBOL, Gateway, far, gateway, request
from tests.support import eventually, start
from tests.support.each import small

CLIENTS = 8
AT_ONCE = 2
"""Orders that each client has on their way."""
EVERYTHING = ("cancel-all", "--everything", "--flatten", "--yes")


async def command(made: Gateway, *arguments: str, within_s: float = 200) -> tuple[int, str]:
    """Run `opensqt` as a person does; its exit code and what it printed."""
    async with start("opensqt.cli", *arguments, "--address", made.address, env={"COLUMNS": "200"}) as process:
        code = await process.wait(within_s)
    return code, process.output


class Traders:
    """Clients that place orders, one after the other, until they are told that trading is halted."""

    def __init__(self, exchanges: list[RemoteExchange], price: Decimal) -> None:
        self._exchanges = exchanges
        self._price = price
        self.halted: set[str] = set()
        """The ids of orders that were refused because trading was halted."""
        self.sent = 0
        self._running: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._running = [
            asyncio.create_task(self._trade(exchange, number))
            for exchange in self._exchanges
            for number in range(AT_ONCE)
        ]

    async def end(self) -> None:
        """Wait until each has been told; a client that failed otherwise fails the test."""
        async with asyncio.timeout(120):
            await asyncio.gather(*self._running)

    async def _trade(self, exchange: RemoteExchange, number: int) -> None:
        while True:
            market = {"order_type": OrderType.MARKET, "price": None} if number % 2 else {"price": self._price}
            asked = request(Side.BUY, **market)
            self.sent += 1
            if await self._halted(exchange, asked):
                self.halted.add(asked.client_order_id)
                return

    async def _halted(self, exchange: RemoteExchange, asked: OrderRequest) -> bool:
        """Place an order under its id until its outcome is known; return whether a halt refused it."""
        while True:
            try:
                await exchange.place_order(asked)
            except TradingHalted:
                return True
            except (OutcomeUnknown, Unreachable, RateLimited) as error:
                await asyncio.sleep(error.retry_after_s or 0.1)
            else:
                return False


@asynccontextmanager
async def traders(made: Gateway) -> AsyncIterator[Traders]:
    async with AsyncExitStack() as stack:
        exchanges = [await stack.enter_async_context(made.client(name=f"client{n}")) for n in range(CLIENTS)]
        yield Traders(exchanges, await far(exchanges[0]))


def wrong(made: Gateway) -> str:
    """What the ledger holds that should be gone."""
    held = [one for one in made.account["positions"] if Decimal(one["quantity"])]
    return f"open {made.open_ids}, held {held}" if made.open_ids or held else ""


async def stays(condition: Callable[[], bool], for_s: float) -> bool:
    """Return whether a condition holds for so long."""
    end_s = time.monotonic() + for_s
    while condition():
        if time.monotonic() >= end_s:
            return True
        await asyncio.sleep(0.05)
    return False


def settings(*, quick: bool) -> dict[str, Any]:
    """Settings of a connector that proves an absence as soon as the delays of a test allow."""
    exchange: dict[str, Any] = {"symbols": [SYMBOL], "reconcile_interval_s": 1.0}
    if quick:
        exchange |= {"recv_window_ms": 2_000, "visibility_margin_s": 0.5}
    return {"exchange": exchange}


OF_EACH_KIND = small(sorted(VENUES), "binance", "okx")
"""A venue with a request that cancels all, and the one where orders are listed and canceled; the others with --large.

How each adapter cancels all while orders are on their way is in test_cancels.py and test_rate_limits.py.
"""


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("venue", OF_EACH_KIND)
async def test_nothing_is_open_in_flight_or_held_when_it_ends_with_0(venue: str, tmp_path: Path, large: bool) -> None:
    """F39: orders delayed before and after acceptance, eight clients placing, the connector killed in the middle."""
    rounds, delay_ms = (50, 4_000) if large else (2, 1_000)
    config = settings(quick=not large)
    config["exchange"]["name"] = venue
    async with gateway(venue, tmp_path, config=config, server=UNLIMITED) as made, traders(made) as clients:
        for number in range(rounds):
            before = number % 2 == 0
            made.fault(kind="delay", on="place_order", delay_ms=delay_ms, before=before, times=0)
            clients.begin()
            sent = clients.sent
            await eventually(lambda sent=sent: clients.sent >= sent + CLIENTS * AT_ONCE)
            ending = asyncio.create_task(command(made, *EVERYTHING, "--hold", "--within", "120"))
            await eventually(lambda number=number: len(clients.halted) > number * CLIENTS * AT_ONCE, within_s=60)
            await made.restart()
            code, said = await ending
            assert code == 0, f"round {number}: {said}; {wrong(made)}"
            # As long as a request that left before the kill may still be on its way to the venue.
            assert await stays(lambda: not wrong(made), delay_ms / 1000 + 0.5), f"round {number}: {said}; {wrong(made)}"
            await clients.end()
            assert not clients.halted & {one["client_order_id"] for one in made.account["orders"]}
            made.simulator.faults.clear()
            assert (await command(made, "resume"))[0] == 0
            orders = len(made.account["orders"])
            print(f"{venue}: round {number + 1}, {clients.sent} orders asked for, {orders} at the venue", flush=True)
        assert made.account["duplicate_client_order_ids"] == []


@pytest.mark.parametrize("venue", OF_EACH_KIND)
async def test_orders_that_wait_for_the_rate_limit_are_never_sent(venue: str, tmp_path: Path) -> None:
    """F39: they are in the connector when trading is halted; their clients are told, and the venue never sees them."""
    patient = {"exchange": {"symbols": [SYMBOL], "reconcile_interval_s": 1.0, "request_timeout_s": 60.0}}
    async with (
        gateway(venue, tmp_path, server=UNLIMITED, config=patient) as made,
        made.client(deadline_s=60) as exchange,
    ):
        price = await far(exchange)
        placed = await exchange.place_order(request(price=price))
        made.fault(kind="rate_limited", on="place_order", retry_after_s=10)
        with pytest.raises(RateLimited):
            await exchange.place_order(request(price=price))
        asked = [request(price=price) for _ in range(10)]
        placing = [asyncio.create_task(exchange.place_order(one)) for one in asked]
        await eventually(partial(_all_wait, exchange, len(asked)))
        canceled = await exchange.cancel_all_orders(SYMBOL)
        outcomes = await asyncio.gather(*placing, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [TradingHalted] * len(asked)
        assert [one.client_order_id for one in canceled] == [placed.client_order_id]
        assert [one["client_order_id"] for one in made.account["orders"]] == [placed.client_order_id]
        assert made.open_ids == set()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("venue", OF_EACH_KIND)
async def test_a_venue_that_can_not_be_reached_is_said_and_ends_with_1(venue: str, tmp_path: Path) -> None:
    """F39, F3: what could not be asked is not gone."""
    async with gateway(venue, tmp_path, server=UNLIMITED) as made, made.client(name="gone") as exchange:
        await exchange.place_order(request(price=await far(exchange)))
        made.fault(kind="unreachable", times=0)
        made.fault(kind="refuse_connect", times=0)
        made.fault(kind="cut", times=1)
        code, said = await command(made, *EVERYTHING, "--within", "8")
        assert code == 1, said
        assert "not proven within 8 s" in said
        assert "which orders are open is not known" in said
        assert len(made.open_ids) == 1
        made.simulator.faults.clear()
        code, said = await command(made, *EVERYTHING)
        assert (code, made.open_ids) == (0, set()), said


@pytest.mark.timeout(120)
async def test_a_connector_that_does_not_come_back_is_said_and_ends_with_1(tmp_path: Path) -> None:
    """F39: the command was under way, with an order in flight."""
    async with gateway("binance", tmp_path, server=UNLIMITED) as made, made.client(name="gone") as exchange:
        made.fault(kind="delay", on="place_order", delay_ms=4_000)
        asked = request(price=await far(exchange))
        placing = asyncio.create_task(exchange.place_order(asked))
        await eventually(lambda: made.simulator.ledger()["statistics"]["requests"].get("place_order"))
        ending = asyncio.create_task(command(made, *EVERYTHING, "--within", "10"))
        await eventually(lambda: made.process is not None and '"method":"HaltTrading"' in made.process.output)
        await exchange.get_status()  # so the response to the halt, which names the order, has left before it
        await made.kill()
        code, said = await ending
        assert code == 1, said
        assert asked.client_order_id in said
        placing.cancel()
        await asyncio.wait({placing})
        await made.start()
        assert (await command(made, *EVERYTHING))[0] == 0
        assert made.open_ids == set()


async def _all_wait(exchange: RemoteExchange, orders: int) -> bool:
    return (await exchange.get_rate_budget()).waiting == orders
