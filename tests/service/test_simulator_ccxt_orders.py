"""Unmodified ccxt.pro places, amends and cancels orders over a WebSocket on the simulated venues that have it."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from opensqt.model.order import OrderStatus
from opensqt.simulator import Simulator
from tests.service.ccxt_venues import SYMBOL, VENUES, CcxtVenue
from tests.service.venue_clients import below

EXAMPLE = Path(__file__).parents[2] / "examples" / "ccxt_on_simulator.py"
BY_NAME = {venue.name: venue for venue in VENUES}


def on_simulator(exchange: Any, simulator: Simulator) -> None:
    """Give the client the addresses that the example gives: none is left that leads to the venue."""
    spec = importlib.util.spec_from_file_location("ccxt_on_simulator", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.on_simulator(exchange, simulator.url)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How ccxt enters orders on a venue."""

    name: str
    refused: type[Exception]
    """The error class of an order that the account can't pay for."""
    unknown: type[Exception]
    """The error class of a cancel of no order."""

    @property
    def venue(self) -> CcxtVenue:
        return BY_NAME[self.name]


ENTRIES = [
    Entry(name="binance", refused=ccxt.InsufficientFunds, unknown=ccxt.OrderNotFound),
    Entry(name="bybit", refused=ccxt.InsufficientFunds, unknown=ccxt.OrderNotFound),
    Entry(name="gate", refused=ccxt.InsufficientFunds, unknown=ccxt.OrderNotFound),
    Entry(name="okx", refused=ccxt.InsufficientFunds, unknown=ccxt.OrderNotFound),
]


@pytest.fixture(params=ENTRIES, ids=lambda entry: entry.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    return request.param


@pytest.fixture
async def simulator(entry: Entry) -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with entry.venue.simulator(clock="manual") as simulator:
        yield simulator


@pytest.fixture
async def exchange(entry: Entry, simulator: Simulator) -> AsyncIterator[Any]:
    async with entry.venue.connect(simulator) as exchange:
        on_simulator(exchange, simulator)
        await exchange.load_markets()
        yield exchange


def open_orders(simulator: Simulator) -> list[tuple[Decimal | None, Decimal]]:
    return [(order.price, order.quantity) for order in simulator.engine.open_orders("sim-key")]


async def test_an_order_is_placed_amended_and_canceled(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    price, venue = below(simulator), entry.venue
    placed = await exchange.create_order_ws(SYMBOL, "limit", "buy", venue.amount("0.010"), str(price))
    assert open_orders(simulator) == [(price, Decimal("0.010"))]
    amended = (SYMBOL, "limit", "buy", venue.amount("0.020"), str(price - 1))
    assert (await exchange.edit_order_ws(placed["id"], *amended))["id"] == placed["id"]
    assert open_orders(simulator) == [(price - 1, Decimal("0.020"))]
    assert (await exchange.cancel_order_ws(placed["id"], SYMBOL))["id"] == placed["id"]
    assert open_orders(simulator) == []


async def test_a_market_order_is_filled_and_closed_again(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    amount = entry.venue.amount("0.020")
    await exchange.create_order_ws(SYMBOL, "market", "buy", amount)
    (held,) = [view for view in simulator.engine.positions("sim-key", "BTCUSDT") if view.quantity]
    assert held.quantity == Decimal("0.020")
    await exchange.create_order_ws(SYMBOL, "market", "sell", amount, None, {"reduceOnly": True})
    assert [order.status for order in simulator.engine.orders("sim-key")] == [OrderStatus.FILLED] * 2
    assert not [view for view in simulator.engine.positions("sim-key") if view.quantity]


async def test_refusals_have_their_class_and_leave_the_connection(
    entry: Entry, exchange: Any, simulator: Simulator
) -> None:
    """F17: a refused order is refused, and the next one is not in its way."""
    price = str(below(simulator))
    with pytest.raises(entry.refused):
        await exchange.create_order_ws(SYMBOL, "limit", "buy", entry.venue.amount("900"), price)
    with pytest.raises(entry.unknown):
        await exchange.cancel_order_ws("123456", SYMBOL)
    await exchange.create_order_ws(SYMBOL, "limit", "buy", entry.venue.amount("0.010"), price)
    assert len(open_orders(simulator)) == 1


async def test_many_orders_at_once_each_get_their_own_answer(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    """Answers are told apart by their ids."""
    prices = [below(simulator) - step for step in range(5)]
    amount = entry.venue.amount("0.010")
    placed = await asyncio.gather(
        *(exchange.create_order_ws(SYMBOL, "limit", "buy", amount, str(price)) for price in prices)
    )
    by_id = {order.order_id: order.price for order in simulator.engine.open_orders("sim-key")}
    assert [by_id[order["id"]] for order in placed] == prices


async def test_a_wrong_secret_is_refused(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    """Nothing is done for who can't sign."""
    exchange.secret = "another"
    with pytest.raises(ccxt.BaseError):
        await exchange.create_order_ws(SYMBOL, "limit", "buy", entry.venue.amount("0.010"), str(below(simulator)))
    assert simulator.engine.orders("sim-key") == []


GATE = pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.name == "gate"], indirect=True)


@GATE
async def test_gate_s_batches_lists_and_cancel_of_all(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    price, amount = below(simulator), entry.venue.amount("0.010")
    order = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": amount}
    placed = await exchange.create_orders_ws([{**order, "price": str(price - step)} for step in range(3)])
    assert open_orders(simulator) == [(price - step, Decimal("0.010")) for step in range(3)]
    listed = await exchange.fetch_open_orders_ws(SYMBOL)
    assert {one["id"] for one in listed} == {one["id"] for one in placed}
    assert (await exchange.fetch_order_ws(placed[0]["id"], SYMBOL))["status"] == "open"
    await exchange.cancel_all_orders_ws(SYMBOL)
    assert open_orders(simulator) == []


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.name == "okx"], indirect=True)
async def test_okx_s_cancel_of_several(entry: Entry, exchange: Any, simulator: Simulator) -> None:
    price, amount = str(below(simulator)), entry.venue.amount("0.010")
    placed = [await exchange.create_order_ws(SYMBOL, "limit", "buy", amount, price) for _ in range(3)]
    await exchange.cancel_orders_ws([order["id"] for order in placed], SYMBOL)
    assert open_orders(simulator) == []
