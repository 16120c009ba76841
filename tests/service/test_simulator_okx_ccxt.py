"""What only the simulated OKX has for ccxt; the behaviours of all venues are in test_simulator_ccxt.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest

from opensqt.simulator import Simulator
from tests.service.okx_clients import ccxt_okx, okx
from tests.service.venue_clients import below

SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with okx(clock="manual") as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with ccxt_okx(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_a_post_only_order_that_would_take_is_accepted_and_canceled(exchange: Any, simulator: Simulator) -> None:
    crossing = str(below(simulator, -1000))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "1", crossing, {"postOnly": True})
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["filled"], found["info"]["cancelSource"]) == ("canceled", 0.0, "31")


async def test_fees_stand_in_the_bills(exchange: Any, simulator: Simulator) -> None:
    await exchange.create_order(SYMBOL, "market", "sell", "1")
    ledger = await exchange.fetch_ledger("USDT", params={"type": "swap"})
    assert {entry["type"] for entry in ledger} == {"trade"}
    assert float(simulator.engine.balance("sim-key").wallet_balance) == pytest.approx(ledger[-1]["after"])


async def test_candles_of_a_window_are_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=30)
    again = await exchange.fetch_ohlcv(SYMBOL, "1m", since=bars[5][0], limit=10)
    assert again == bars[5:15]


async def test_leverage_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_leverage(7, SYMBOL)
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    with pytest.raises(ccxt.ExchangeError, match="50062"):
        await exchange.set_margin_mode("isolated", SYMBOL, {"leverage": 7})


async def test_a_client_id_in_use_is_refused(exchange: Any, simulator: Simulator) -> None:
    arguments = (SYMBOL, "limit", "buy", "1", str(below(simulator)), {"clientOrderId": "twice"})
    await exchange.create_order(*arguments)
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        await exchange.create_order(*arguments)


async def test_what_does_not_exist_is_told(exchange: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="51603"):
        await exchange.fetch_order("1", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="51400"):
        await exchange.cancel_order("1", SYMBOL)


async def test_mark_prices_funding_and_a_growing_book_are_watched() -> None:
    """F14: a book with a hole in it is never traded on."""
    async with okx() as live, ccxt_okx(live) as exchange:
        await exchange.load_markets()
        async with asyncio.timeout(50):
            mark = await exchange.watch_mark_price(SYMBOL)
            funding = await exchange.watch_funding_rate(SYMBOL)
            for _ in range(20):
                book = await exchange.watch_order_book(SYMBOL)
    assert (mark["markPrice"] > 0, funding["fundingRate"] is not None) == (True, True)
    assert book["bids"][0][0] < book["asks"][0][0]
