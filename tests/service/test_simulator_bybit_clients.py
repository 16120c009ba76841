"""What clients of Bybit read that ccxt does not: nautilus_trader and the SDKs, as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.simulator import Simulator
from tests.service.bybit_clients import ccxt_on
from tests.service.ccxt_venues import SYMBOL, UNPACED
from tests.service.venue_clients import settings


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulated = Simulator(settings(exchange="bybit", clock="manual", server=UNPACED))
    async with simulated:
        yield simulated


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with ccxt_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_an_order_says_what_its_fills_have_cost(exchange: Any, simulator: Simulator) -> None:
    """cumExecFee is a number as text, zero before the first fill."""
    where = {"category": "linear", "symbol": "BTCUSDT"}
    resting = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", "44000")
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    (open_order,) = (await exchange.privateGetV5OrderRealtime({**where, "orderId": resting["id"]}))["result"]["list"]
    (filled,) = (await exchange.privateGetV5OrderHistory({**where, "orderId": bought["id"]}))["result"]["list"]
    fees = sum(fill.fee for fill in simulator.engine.fills("sim-key", "BTCUSDT"))
    assert (open_order["cumExecFee"], open_order["cumFeeDetail"]) == ("0", {})
    assert Decimal(filled["cumExecFee"]) == Decimal(filled["cumFeeDetail"]["USDT"]) == fees


async def test_coins_are_read_with_their_precision(exchange: Any) -> None:
    rows = (await exchange.privateGetV5AssetCoinQueryInfo())["result"]["rows"]
    assert [row["coin"] for row in rows] == ["BTC", "ETH", "USDT"]
    assert all(row["chains"][0]["minAccuracy"] == "8" for row in rows)


FIELDS = {
    "privateGetV5OrderRealtime": "tpLimitPrice slLimitPrice feeCurrency ocoTriggerType slippageToleranceType",
    "privateGetV5PositionList": "openTime positionIMByMp positionMMByMp",
    "publicGetV5MarketTickers": "fundingIntervalHour fundingCap basisRate curPreListingPhase",
    "publicGetV5MarketInstrumentsInfo": "displayName upperFundingRate riskParameters",
}


@pytest.mark.parametrize("method", FIELDS)
async def test_the_fields_of_other_modes_are_there(exchange: Any, method: str) -> None:
    """A client that declares a documented field can read the answer, although it means nothing here."""
    await exchange.create_order(SYMBOL, "limit", "buy", "0.01", "44000")
    answer = await getattr(exchange, method)({"category": "linear", "symbol": "BTCUSDT"})
    assert set(FIELDS[method].split()) <= answer["result"]["list"][0].keys()


async def test_a_ticker_has_the_cross_sequence(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{simulator.url}/v5/public/linear") as socket:
        await socket.send_json({"op": "subscribe", "args": ["tickers.BTCUSDT"]})
        await socket.receive_json(timeout=60)
        frame = await socket.receive_json(timeout=60)
        assert (frame["type"], frame["cs"] > 0) == ("snapshot", True)
