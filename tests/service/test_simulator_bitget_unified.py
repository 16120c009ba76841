"""Unmodified ccxt and ccxt.pro trade on a unified account of the simulated Bitget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.simulator import AccountSettings, Simulator, SimulatorSettings
from tests.service.ccxt_venues import SYMBOL, UNPACED, bitget_on
from tests.service.venue_clients import below
from tests.support import eventually

UTA = {"uta": True}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    settings = SimulatorSettings(
        exchange="bitget",
        port=0,
        clock="manual",
        past_minutes=10,
        server=UNPACED,
        accounts=(AccountSettings(account_mode="unified"),),
    )
    async with Simulator(settings) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with bitget_on(simulator) as exchange:
        for kind in ("ws", "demo"):
            exchange.urls["api"][kind]["utaPrivate"] = f"{simulator.url.replace('http', 'ws', 1)}/v3/ws/private"
        # The market is read over API v2, as it is for a classic account.
        exchange.options["uta"] = False
        await exchange.load_markets()
        exchange.options["uta"] = True
        yield exchange


async def test_the_classic_api_is_refused(exchange: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="40085"):
        await exchange.privateMixGetV2MixAccountAccounts({"productType": "USDT-FUTURES"})


async def test_the_balance_is_read(exchange: Any) -> None:
    balance = (await exchange.fetch_balance(UTA))["USDT"]
    assert (balance["free"], balance["used"], balance["total"]) == (10000.0, 0.0, 10000.0)


async def test_an_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.015", str(price), UTA | {"clientOid": "abc1"})
    (held,) = simulator.engine.open_orders("sim-key")
    assert (held.quantity, held.price, held.client_order_id) == (Decimal("0.015"), price, "abc1")
    found = await exchange.fetch_order(placed["id"], SYMBOL, UTA)
    assert (found["status"], found["clientOrderId"], found["filled"]) == ("open", "abc1", 0.0)
    assert (found["amount"], found["price"]) == (0.015, float(price))
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL, None, None, UTA)] == [placed["id"]]
    assert (await exchange.cancel_order(placed["id"], SYMBOL, UTA))["id"] == placed["id"]
    assert (await exchange.fetch_order(placed["id"], SYMBOL, UTA))["status"] == "canceled"


async def test_all_orders_of_a_symbol_are_canceled(exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)), UTA)
    await exchange.cancel_all_orders(SYMBOL, UTA)
    assert simulator.engine.open_orders("sim-key") == []


async def held_position(exchange: Any) -> list[Any]:
    """Wait for a position: the first frame has none."""
    while not (rows := await exchange.watch_positions([SYMBOL], None, None, UTA)):
        pass
    return list(rows)


@pytest.mark.parametrize(("side", "held"), [("buy", "long"), ("sell", "short")])
async def test_a_trade_is_streamed_and_makes_a_position(
    exchange: Any, simulator: Simulator, side: str, held: str
) -> None:
    orders, trades = (
        asyncio.create_task(watch(SYMBOL, None, None, UTA))
        for watch in (exchange.watch_orders, exchange.watch_my_trades)
    )
    positions = asyncio.create_task(held_position(exchange))
    await eventually(lambda: sum("|unified " in topic for topic in simulator.subscriptions.topics()) == 3)
    traded = await exchange.create_order(SYMBOL, "market", side, "0.01", None, UTA)
    async with asyncio.timeout(60):
        (order, *_), (trade, *_), (streamed, *_) = await orders, await trades, await positions
    assert (order["id"], order["status"], order["side"]) == (traded["id"], "closed", side)
    assert (trade["order"], trade["side"], trade["takerOrMaker"]) == (traded["id"], side, "taker")
    assert trade["fee"]["cost"] > 0
    assert (streamed["side"], streamed["contracts"]) == (held, 0.01)
    (position,) = [row for row in await exchange.fetch_positions([SYMBOL], UTA) if row["contracts"]]
    assert (position["side"], position["contracts"]) == (held, 0.01)
    (found,) = await exchange.fetch_my_trades(SYMBOL, None, None, UTA)
    # ccxt turns the sign of a queried fee as if it were one of API v2.
    assert (found["id"], abs(found["fee"]["cost"])) == (trade["id"], trade["fee"]["cost"])
    closing = "sell" if side == "buy" else "buy"
    await exchange.create_order(SYMBOL, "market", closing, "0.01", None, UTA | {"reduceOnly": True})
    assert [row for row in await exchange.fetch_positions([SYMBOL], UTA) if row["contracts"]] == []


async def test_leverage_is_set(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_leverage(7, SYMBOL, UTA)
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    await exchange.set_position_mode(True, None, UTA)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)), UTA | {"hedged": True})
    assert (await exchange.fetch_order(placed["id"], SYMBOL, UTA))["status"] == "open"


async def test_a_batch_is_placed_and_canceled(exchange: Any, simulator: Simulator) -> None:
    one = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": float(below(simulator))}
    placed = await exchange.create_orders([one | {"params": {"clientOid": name}} for name in ("abc1", "abc2")], UTA)
    held = simulator.engine.open_orders("sim-key")
    assert [(order.order_id, order.client_order_id) for order in held] == [
        (placed[0]["id"], "abc1"),
        (placed[1]["id"], "abc2"),
    ]
    await exchange.cancel_orders([order["id"] for order in placed], SYMBOL, UTA)
    assert simulator.engine.open_orders("sim-key") == []


async def test_funding_is_listed(exchange: Any, simulator: Simulator) -> None:
    await exchange.create_order(SYMBOL, "market", "buy", "0.01", None, UTA)
    for rate in ("0.0005", "-0.0005"):
        simulator.engine.set_funding_rate("BTCUSDT", Decimal(rate))
        simulator.engine.pay_funding()
    # Both are of one time, as the clock stands still.
    spent, received = sorted(
        await exchange.fetch_funding_history(SYMBOL, None, None, UTA), key=lambda row: row["amount"]
    )
    assert (spent["amount"] < 0 < received["amount"], spent["code"]) == (True, "USDT")
    assert spent["id"] != received["id"]


async def test_an_order_is_amended(exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.010", str(price), UTA)
    await exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", "0.020", str(price - 1), UTA)
    (held,) = simulator.engine.open_orders("sim-key")
    assert (held.order_id, held.quantity, held.price) == (placed["id"], Decimal("0.020"), price - 1)
