"""Funding payments on every venue: what a reader was told is the ledger's, over reconnects and restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.funding import FundingPayment
from opensqt.model.order import OrderType, PositionSide, Side
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig, on_simulator
from tests.chaos.gateway_rig import Gateway, gateway, request
from tests.support import eventually
from tests.support.each import at_once, small


class Reader:
    """Keeps what a stream of payments tells, each payment once."""

    def __init__(self, exchange: Any) -> None:
        self.told: dict[str, FundingPayment] = {}
        self.times: Counter[str] = Counter()
        """How often each id was told outside of a snapshot."""
        self._exchange = exchange

    async def read(self) -> None:
        async for batch in self._exchange.subscribe_funding_payments():
            for payment in batch.updates:
                self.told[payment.payment_id] = payment
                self.times[payment.payment_id] += not batch.snapshot


@asynccontextmanager
async def reading(exchange: Any) -> AsyncIterator[Reader]:
    reader = Reader(exchange)
    task = asyncio.create_task(reader.read())
    try:
        yield reader
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def amounts(account: dict[str, Any]) -> list[tuple[str, Decimal]]:
    """The payments of the ledger."""
    return sorted((paid["symbol"], Decimal(paid["amount"])) for paid in account["funding_payments"])


def differences(reader: Reader, account: dict[str, Any]) -> str:
    told = sorted((payment.symbol, payment.amount) for payment in reader.told.values())
    return "" if told == amounts(account) else f"told {told}, ledger {amounts(account)}"


async def agree(reader: Reader, rig: Rig | Gateway) -> None:
    """Wait until the reader was told the ledger's payments, each once."""
    await eventually(lambda: not differences(reader, rig.account), what="the ledger's payments")
    assert max(reader.times.values(), default=0) <= 1, reader.times


async def hold(rig: Rig, side: PositionSide = PositionSide.BOTH) -> None:
    order_side = Side.SELL if side is PositionSide.SHORT else Side.BUY
    await rig.exchange.place_order(rig.request(order_side, order_type=OrderType.MARKET, position_side=side))


@pytest.mark.parametrize("mode", list(PositionMode))
async def test_each_payment_of_the_ledger_is_told_once(adapter: Adapter, mode: PositionMode) -> None:
    """F8: a payment that several frames and queries show counts once."""
    async with adapter(mode) as rig, reading(rig.exchange) as reader:
        sides = [PositionSide.BOTH] if mode is PositionMode.ONE_WAY else [PositionSide.LONG, PositionSide.SHORT]
        for side in sides:
            await hold(rig, side)
        for _ in range(4):
            rig.simulator.engine.pay_funding()
            await asyncio.sleep(0)
        await agree(reader, rig)
        # The venue's own hour of funding may add one.
        assert len(reader.told) == len(amounts(rig.account)) >= 4 * len(sides)


async def test_what_is_paid_without_a_connection_is_told_after_it(adapter: Adapter) -> None:
    """F6: nothing is missed across a reconnect."""
    async with adapter() as rig, reading(rig.exchange) as reader:
        await hold(rig)
        for _ in range(5):
            rig.fault(kind="refuse_connect", channel="private", times=1)
            rig.fault(kind="cut", channel="private")
            rig.simulator.engine.pay_funding()
        await agree(reader, rig)


async def test_queries_that_fail_delay_a_payment_and_lose_none() -> None:
    """F3: "could not ask" is not taken for "was not paid".

    On all venues at once: nearly all of it is waiting.
    """

    async def check(venue: str) -> None:
        async with on_simulator(venue) as rig, reading(rig.exchange) as reader:
            await hold(rig)
            rig.fault(kind="error_before", on="fills", status=503, times=3)
            rig.simulator.engine.pay_funding()
            await agree(reader, rig)
            assert (await rig.exchange.get_status()).healthy

    await at_once(sorted(VENUES), check)


async def test_a_repeated_or_late_frame_tells_no_payment_again(adapter: Adapter) -> None:
    """F8: what is told comes from the venue's list, by its id."""
    async with adapter() as rig, reading(rig.exchange) as reader:
        rig.fault(kind="repeat", channel="private", copies=3, times=0)
        await hold(rig)
        for _ in range(3):
            rig.simulator.engine.pay_funding()
        await agree(reader, rig)


@pytest.mark.parametrize("venue", small(sorted(VENUES), "binance", "gate"))
async def test_a_reader_of_a_connector_that_is_killed_is_told_all_of_the_ledger(venue: str, tmp_path: Path) -> None:
    """F6: payments while the connector is away are told after its restart; one that was told before counts once.

    At test size for two venues: what an adapter itself does after a lost connection is proven above for each.
    """
    async with gateway(venue, tmp_path) as rig, rig.client() as exchange, reading(exchange) as reader:
        market = {"order_type": OrderType.MARKET}
        await exchange.place_order(request(**market))
        rig.simulator.engine.pay_funding()
        await agree(reader, rig)
        for _ in range(2):
            await rig.kill()
            rig.simulator.engine.pay_funding()
            await rig.start()
            rig.simulator.engine.pay_funding()
            await agree(reader, rig)
        listed = await exchange.list_funding_payments(SYMBOL, since_ms=1)
        assert sorted((one.symbol, one.amount) for one in listed) == amounts(rig.account)
