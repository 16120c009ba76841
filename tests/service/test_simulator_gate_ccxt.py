"""What only the simulated Gate has for ccxt; the behaviours of all venues are in test_simulator_ccxt.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import pytest

from opensqt.model.account import MarginMode
from opensqt.simulator import Simulator
from tests.service.ccxt_venues import SYMBOL, gate_on
from tests.service.venue_clients import below, settings
from tests.support import eventually


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with Simulator(settings(exchange="gate", clock="manual", past_minutes=60)) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with gate_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_an_order_that_ended_unfilled_is_forgotten_by_its_client_id_first(
    exchange: Any, simulator: Simulator
) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 10, str(below(simulator)), {"text": "t-gone"})
    await exchange.cancel_order(placed["id"], SYMBOL)
    await simulator.advance(61_000)
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.fetch_order(None, SYMBOL, {"clientOrderId": "t-gone"})
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"


async def test_leverage_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    answer = await exchange.set_leverage(7, SYMBOL, {"marginMode": "cross"})
    assert (answer["leverage"], answer["cross_leverage_limit"]) == ("0", "7")
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    (tier,) = await exchange.fetch_market_leverage_tiers(SYMBOL)
    assert tier["maxLeverage"] == 125
    isolated = await exchange.set_leverage(5, SYMBOL)
    assert (isolated["leverage"], isolated["cross_leverage_limit"]) == ("5", "0")
    assert simulator.engine.margin_mode("sim-key", "BTCUSDT") is MarginMode.ISOLATED


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(exchange: Any, simulator: Simulator) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    assert (await exchange.set_position_mode(True, SYMBOL))["in_dual_mode"] is True
    await exchange.create_order(SYMBOL, "market", "buy", 20)
    await exchange.create_order(SYMBOL, "market", "sell", 10)
    positions = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL]) if row["contracts"]}
    assert positions == {"long": 20.0, "short": 10.0}
    await exchange.create_order(SYMBOL, "market", "sell", 5, None, {"reduceOnly": True})
    (long_, short) = await exchange.privateFuturesGetSettleDualCompPositionsContract(
        {"settle": "usdt", "contract": "BTC_USDT"}
    )
    assert (long_["size"], long_["mode"], short["size"], short["mode"]) == ("15", "dual_long", "-10", "dual_short")
    with pytest.raises(ccxt.ExchangeError, match="POSITION_DUAL_MODE"):
        await exchange.fetch_position(SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="POSITION_HOLDING"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_the_mode_in_force_is_no_change(exchange: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="NO_CHANGE"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_a_fill_or_kill_order_that_is_killed_is_told_as_an_error(exchange: Any, simulator: Simulator) -> None:
    best = simulator.engine.best("BTCUSDT")
    more = int(best.ask_quantity * 1000) + 1
    with pytest.raises(ccxt.ExchangeError, match="ORDER_FOK"):
        await exchange.create_order(SYMBOL, "limit", "buy", more, str(best.ask), {"timeInForce": "fok"})
    assert simulator.engine.fills("sim-key") == []


@pytest.mark.parametrize("wrong", [{"secret": "another"}, {"uid": "1"}, {"apiKey": "another"}])
async def test_a_private_channel_is_refused_who_does_not_sign_for_it(exchange: Any, wrong: dict[str, str]) -> None:
    for name, value in wrong.items():
        setattr(exchange, name, value)
    with pytest.raises((ccxt.AuthenticationError, ccxt.BadRequest)):
        await asyncio.wait_for(exchange.watch_orders(SYMBOL), 60)


async def test_a_subscription_that_is_given_up_ends(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_trades(SYMBOL))
    await _listening(simulator, "futures.trades")
    await exchange.un_watch_trades(SYMBOL)
    watching.cancel()
    await eventually(lambda: not _topics(simulator, "futures.trades"), what="the end of the subscription")


def _topics(simulator: Simulator, channel: str) -> list[str]:
    return [topic for topic in simulator.subscriptions.topics() if topic.startswith(channel + " ")]


async def _listening(simulator: Simulator, channel: str) -> None:
    await eventually(lambda: _topics(simulator, channel), what=f"a subscription of {channel}")
