"""What only the simulated Binance has for ccxt; the behaviours of all venues are in test_simulator_ccxt.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest

from opensqt.simulator import Simulator
from tests.service.ccxt_venues import SYMBOL
from tests.service.venue_clients import ccxt_on, settings


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with Simulator(settings(clock="manual")) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with ccxt_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_what_is_in_force_is_no_change(exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await exchange.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "CROSSED"})
    with pytest.raises(ccxt.ExchangeError, match="-4059"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_modes_and_leverage_are_read_back(exchange: Any) -> None:
    """F21: the leverage in force is the one that was asked for."""
    assert (await exchange.set_leverage(7, SYMBOL))["leverage"] == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    await exchange.set_position_mode(True, SYMBOL)
    assert (await exchange.fetch_position_mode(SYMBOL))["hedged"] is True


async def test_best_prices_of_several_symbols_are_read(exchange: Any) -> None:
    ticker = (await exchange.fetch_bids_asks([SYMBOL]))[SYMBOL]
    assert ticker["bid"] < ticker["ask"]


async def test_mark_prices_are_watched() -> None:
    async with Simulator(settings()) as live, ccxt_on(live) as exchange:
        await exchange.load_markets()
        mark = await asyncio.wait_for(exchange.watch_mark_price(SYMBOL), 50)
    assert mark["markPrice"] > 0
