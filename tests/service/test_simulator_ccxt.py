"""Unmodified ccxt and ccxt.pro trade on the simulator; only their URLs are set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.venue_clients import below, ccxt_on, settings
from tests.support import eventually

SYMBOL = "BTC/USDT:USDT"


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


async def test_markets_and_balance_are_read(exchange: Any) -> None:
    markets = exchange.markets
    assert set(markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    assert markets[SYMBOL]["precision"] == {"amount": 0.001, "price": 0.1, "base": 1e-8, "quote": 1e-8}
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10000.0, "used": 0.0, "total": 10000.0}


async def test_a_limit_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(price), {"clientOrderId": "abc1"})
    assert (placed["status"], placed["clientOrderId"], placed["filled"]) == ("open", "abc1", 0.0)
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "open"
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert (await exchange.cancel_order(placed["id"], SYMBOL))["status"] == "canceled"
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"


async def test_an_order_is_queried_and_canceled_by_client_id(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "mine1"}
    )
    found = await exchange.fetch_order(None, SYMBOL, {"origClientOrderId": "mine1"})
    assert found["id"] == placed["id"]
    canceled = await exchange.cancel_order(None, SYMBOL, {"origClientOrderId": "mine1"})
    assert canceled["clientOrderId"] == "mine1"


async def test_a_batch_answers_per_item(exchange: Any, simulator: Simulator) -> None:
    price = str(below(simulator))
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": "0.01", "price": price}
    crossing = {**good, "price": str(below(simulator, -1000)), "params": {"postOnly": True}}
    # ccxt puts what has no time first, so the venue's own order shows in the raw answer only.
    refused, first, third = await exchange.create_orders([good, crossing, good])
    assert [order["status"] for order in (first, third)] == ["open", "open"]
    assert refused["info"]["code"] == -5022
    canceled = await exchange.cancel_orders([first["id"], third["id"]], SYMBOL)
    assert [order["status"] for order in canceled] == ["canceled", "canceled"]


async def test_all_orders_of_a_symbol_are_canceled(exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
    await exchange.cancel_all_orders(SYMBOL)
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_market_order_fills_and_makes_a_position(exchange: Any, simulator: Simulator) -> None:
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert all(trade["takerOrMaker"] == "taker" for trade in trades)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)


async def test_public_market_data_is_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)
    assert len(bars) == 20
    ticker = (await exchange.fetch_bids_asks([SYMBOL]))[SYMBOL]
    assert ticker["bid"] < ticker["ask"]
    book = await exchange.fetch_order_book(SYMBOL, 10)
    assert len(book["bids"]) == len(book["asks"]) == 10
    assert (await exchange.fetch_ticker(SYMBOL))["last"] > 0
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert await exchange.fetch_trades(SYMBOL) is not None


async def test_leverage_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    assert (await exchange.set_leverage(7, SYMBOL))["leverage"] == 7
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    tiers = await exchange.fetch_leverage_tiers([SYMBOL])
    assert tiers[SYMBOL][0]["maxLeverage"] == 125
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await exchange.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "CROSSED"})


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_position_mode(True, SYMBOL)
    assert (await exchange.fetch_position_mode(SYMBOL))["hedged"] is True
    await exchange.create_order(SYMBOL, "market", "buy", "0.02", None, {"positionSide": "LONG"})
    await exchange.create_order(SYMBOL, "market", "sell", "0.01", None, {"positionSide": "SHORT"})
    positions = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL])}
    assert positions == {"long": 0.02, "short": 0.01}
    with pytest.raises(ccxt.ExchangeError, match="-4061"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    with pytest.raises(ccxt.ExchangeError, match="-4068"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_one_way_mode_refuses_a_hedge_side(exchange: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="-4059"):
        await exchange.set_position_mode(False, SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="-4061"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01", None, {"positionSide": "LONG"})


@pytest.mark.parametrize(
    ("amount", "offset", "code"),
    [("0.0001", 1000, "-1111"), ("0.001", -2_000_000, "-4016"), ("900", 1000, "-2019"), ("0.0005", 1000, "-1111")],
)
async def test_a_bad_order_is_refused_with_the_venues_code(
    exchange: Any, simulator: Simulator, amount: str, offset: int, code: str
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": amount}
    with pytest.raises(ccxt.ExchangeError, match=code):
        await exchange.fapiPrivatePostOrder({**order, "price": str(below(simulator, offset))})


async def test_orders_and_trades_are_watched(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _listening(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator, 0)))
    assert [(order["id"], order["status"]) for order in await watching] == [(placed["id"], "open")]
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await asyncio.sleep(0)  # lets it take its place; it needs no network to
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), Decimal(str(placed["price"])))
    (trade,) = await trades
    assert (trade["order"], trade["takerOrMaker"], trade["fee"]["currency"]) == (placed["id"], "maker", "USDT")
    closed = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"])
    assert float(closed.filled_quantity) == pytest.approx(trade["amount"])


async def test_balance_and_positions_are_watched(exchange: Any, simulator: Simulator) -> None:
    await exchange.watch_positions([SYMBOL])
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    await _listening(simulator)
    await exchange.create_order(SYMBOL, "market", "sell", "0.01")
    assert (await balance)["USDT"]["total"] < 10000
    assert [(row["side"], row["contracts"]) for row in await positions] == [("short", 0.01)]


async def test_market_streams_are_watched() -> None:
    async with Simulator(settings()) as live, ccxt_on(live) as exchange:
        await exchange.load_markets()
        bids_asks, bars, book, ticker, trades, mark = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                exchange.watch_order_book(SYMBOL),
                exchange.watch_ticker(SYMBOL),
                exchange.watch_trades(SYMBOL),
                exchange.watch_mark_price(SYMBOL),
            ),
            30,
        )
    assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
    assert bars[-1][4] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["last"] > 0
    assert trades[-1]["amount"] > 0
    assert mark["markPrice"] > 0


async def _listening(simulator: Simulator) -> None:
    await eventually(lambda: simulator.ledger()["statistics"]["connections_open"]["private"], what="a user stream")
