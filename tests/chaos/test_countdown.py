"""Each venue's own countdown, through the adapter, on the simulator of that venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import PermissionDenied, Unreachable, Unsupported
from opensqt.model.order import CloseReason
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import venue_type
from tests.chaos.adapter_rig import LOT, SYMBOL, Rig, on_simulator, settings
from tests.support import eventually

WITH_COUNTDOWN = ["binance", "bitget", "bybit", "gate", "okx"]
KIND = {"bitget": {"account_mode": "unified"}}
"""The kind of account that has a countdown, where not each has."""
ACCOUNTS = {venue: {"accounts": (AccountSettings(**fields),)} for venue, fields in KIND.items()}
ETHER = "ETHUSDT"
PROTECTED = "sim-key dcp.future"


@asynccontextmanager
async def mortal(venue: str, **simulated: Any) -> AsyncIterator[Rig]:
    """An adapter with an order in a still market, that the test may close."""
    given = {"exchange": venue, "port": 0, "past_minutes": 20, **ACCOUNTS.get(venue, {}), **simulated}
    async with Simulator(SimulatorSettings(**given)) as simulator:
        for rules in simulator.engine.symbols():
            simulator.market.pause(rules.symbol)
        async with VenueAdapter(venue_type(venue), settings(simulator)) as exchange:
            rig = Rig(simulator, exchange)
            await exchange.place_order(rig.request(price=await rig.far()))
            yield rig


def scope(rig: Rig, symbol: str = SYMBOL) -> str:
    rules = rig.exchange.countdown_rules
    assert rules is not None
    return symbol if rules.by_symbol else ""


def closing_reasons(rig: Rig) -> list[str]:
    return [one["closing_reason"] for one in rig.account["orders"]]


async def die(rig: Rig) -> None:
    """End the adapter without a word to the venue."""
    await rig.exchange.close()
    await eventually(lambda: not rig.simulator.subscriptions.sockets)


async def pass_time(rig: Rig, milliseconds: int = 60_000) -> None:
    until_ms = rig.simulator.engine.now_ms() + milliseconds
    rig.simulator.market.clock.set_speed(Decimal(100))
    await eventually(lambda: rig.simulator.engine.now_ms() > until_ms)


@pytest.mark.parametrize("venue", WITH_COUNTDOWN)
async def test_an_armed_countdown_cancels_the_orders_of_a_dead_adapter(venue: str) -> None:
    """F46: orders outlive the machine."""
    async with mortal(venue) as rig:
        await rig.exchange.set_countdown(scope(rig), 10)
        await die(rig)
        died_ms = rig.simulator.engine.now_ms()
        await pass_time(rig)
        (order,) = rig.account["orders"]
        assert order["closing_reason"] == "COUNTDOWN"
        assert order["updated_ms"] <= died_ms + 12_000


@pytest.mark.parametrize("venue", WITH_COUNTDOWN)
async def test_a_stopped_countdown_cancels_nothing(venue: str) -> None:
    async with mortal(venue) as rig:
        await rig.exchange.set_countdown(scope(rig), 10)
        await rig.exchange.set_countdown(scope(rig), 0)
        await die(rig)
        await pass_time(rig)
        assert closing_reasons(rig) == ["NONE"]


@pytest.mark.parametrize("venue", ["binance", "gate"])
async def test_a_countdown_of_a_symbol_leaves_the_others(venue: str) -> None:
    """F30: somebody else's orders are not canceled."""
    async with mortal(venue) as rig:
        await rig.exchange.set_countdown(ETHER, 10)
        await die(rig)
        await pass_time(rig)
        assert closing_reasons(rig) == ["NONE"]


async def test_okx_cancels_no_order_that_is_not_ours() -> None:
    """F30: somebody else's orders are not canceled."""
    async with mortal("okx") as rig:
        asked = rig.request(price=await rig.far())
        foreign = NewOrder(symbol=SYMBOL, side=asked.side, quantity=LOT, price=asked.price)
        rig.simulator.engine.place("sim-key", foreign)
        await rig.exchange.set_countdown("", 10)
        await die(rig)
        await pass_time(rig)
        assert closing_reasons(rig) == ["COUNTDOWN", "NONE"]


@pytest.mark.parametrize("venue", WITH_COUNTDOWN)
async def test_a_living_adapter_learns_of_the_cancel_and_of_its_reason_where_the_venue_has_one(venue: str) -> None:
    async with on_simulator(venue, account=KIND.get(venue)) as rig:
        await rig.exchange.place_order(rig.request(price=await rig.far()))
        await rig.exchange.set_countdown(scope(rig), 10)
        if venue == "bybit":
            # There the countdown begins with the loss of the connection.
            (protected,) = rig.simulator.subscriptions.subscribers(PROTECTED)
            protected.cut()
        rig.simulator.market.clock.set_speed(Decimal(1000))
        await eventually(lambda: [one.status.is_closed for one in rig.orders.values()] == [True])
        (order,) = rig.orders.values()
        assert order.status in ("CANCELED", "EXPIRED")
        assert (order.close_reason is CloseReason.TIMER) == (venue in ("okx", "bybit"))


async def test_bybit_counts_a_new_connection_in_again() -> None:
    """A living adapter loses no order, though its private connection is lost for less than the window."""
    async with mortal("bybit") as rig:
        await rig.exchange.set_countdown("", 10)
        (before,) = rig.simulator.subscriptions.subscribers(PROTECTED)
        before.cut()
        await eventually(lambda: before not in rig.simulator.subscriptions.sockets)

        async def armed_again() -> bool:
            try:
                await rig.exchange.set_countdown("", 10)
            except Unreachable:
                return False
            return True

        await eventually(armed_again)
        assert len(list(rig.simulator.subscriptions.subscribers(PROTECTED))) == 1
        await pass_time(rig)
        assert closing_reasons(rig) == ["NONE"]


async def test_bybit_says_that_the_account_is_not_enabled() -> None:
    async with mortal("bybit", accounts=(AccountSettings(disconnect_protection=False),)) as rig:
        with pytest.raises(PermissionDenied, match="client manager"):
            await rig.exchange.set_countdown("", 10)


async def test_a_classic_account_of_bitget_has_none() -> None:
    async with mortal("bitget", accounts=(AccountSettings(),)) as rig:
        assert rig.exchange.countdown_rules is None
        with pytest.raises(Unsupported, match="bitget has no countdown"):
            await rig.exchange.set_countdown("", 10)
