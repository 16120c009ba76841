"""What only the simulated Bybit has for ccxt; the behaviours of all venues are in test_simulator_ccxt.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest

from opensqt.simulator import Simulator
from tests.service.bybit_clients import ccxt_on
from tests.service.venue_clients import below, settings

SYMBOL = "BTC/USDT:USDT"
KNOWN = {"acknowledged": True}
"""ccxt warns that a single order is looked up among the last 500 only."""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with Simulator(settings(exchange="bybit", clock="manual")) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with ccxt_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_all_kinds_of_markets_can_be_asked_for_as_ccxt_does_unless_told(simulator: Simulator) -> None:
    async with ccxt_on(simulator) as exchange:
        exchange.options["fetchMarkets"]["types"] = ["spot", "linear", "inverse", "option"]
        assert set(await exchange.load_markets()) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}


async def test_fills_come_in_pages_newest_first_and_none_twice(exchange: Any, simulator: Simulator) -> None:
    for _ in range(5):
        await exchange.create_order(SYMBOL, "market", "buy", "0.001")
        await simulator.advance(1000)
    seen, cursor = [], {}
    while True:
        query = {"category": "linear", "symbol": "BTCUSDT", "limit": 2, **cursor}
        result = (await exchange.private_get_v5_execution_list(query))["result"]
        seen += [row["execId"] for row in result["list"]]
        if not result["nextPageCursor"]:
            break
        cursor = {"cursor": result["nextPageCursor"]}
    told = [fill.trade_id for fill in simulator.engine.fills("sim-key", "BTCUSDT")]
    assert seen == told[::-1]


async def test_a_post_only_order_that_would_take_is_taken_and_canceled(exchange: Any, simulator: Simulator) -> None:
    """F18: a post-only order never takes."""
    price = str(below(simulator, -1000))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", price, {"postOnly": True})
    found = await exchange.fetch_order(placed["id"], SYMBOL, KNOWN)
    assert (found["status"], found["info"]["rejectReason"]) == ("canceled", "EC_PostOnlyWillTakeLiquidity")
    assert await exchange.fetch_my_trades(SYMBOL) == []


async def test_candles_of_the_past_are_asked_for_by_time(exchange: Any) -> None:
    newest = (await exchange.fetch_ohlcv(SYMBOL, "1m", limit=1))[0][0]
    since = newest - 30 * 60_000
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", since=since, limit=5)
    assert [bar[0] for bar in bars] == [since + minute * 60_000 for minute in range(5)]


async def test_leverage_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_leverage(7, SYMBOL)
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    with pytest.raises(ccxt.BadRequest, match="110043"):
        await exchange.set_leverage(7, SYMBOL)
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    tiers = await exchange.fetch_leverage_tiers([SYMBOL])
    assert tiers[SYMBOL][0]["maxLeverage"] == 125
    await exchange.set_margin_mode("cross", SYMBOL)


async def test_the_mode_in_force_is_no_change(exchange: Any) -> None:
    with pytest.raises(ccxt.NoChange, match="110025"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_a_client_id_is_never_taken_twice(exchange: Any, simulator: Simulator) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    order = (SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "once"})
    placed = await exchange.create_order(*order)
    await exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        await exchange.create_order(*order)
