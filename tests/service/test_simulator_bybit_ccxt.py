"""Unmodified ccxt and ccxt.pro trade on the simulated Bybit; only their URLs are set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.bybit_clients import ccxt_on
from tests.service.venue_clients import below, settings
from tests.support import eventually

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


async def test_markets_and_balance_are_read(exchange: Any) -> None:
    assert set(exchange.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    market = exchange.markets[SYMBOL]
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert (market["limits"]["cost"]["min"], market["limits"]["leverage"]["max"]) == (5.0, 125.0)
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10000.0, "used": 0.0, "total": 10000.0, "debt": 0.0}


async def test_all_kinds_of_markets_can_be_asked_for_as_ccxt_does_unless_told(simulator: Simulator) -> None:
    async with ccxt_on(simulator) as exchange:
        exchange.options["fetchMarkets"]["types"] = ["spot", "linear", "inverse", "option"]
        assert set(await exchange.load_markets()) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}


async def test_a_limit_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "abc1"}
    )
    found = await exchange.fetch_order(placed["id"], SYMBOL, KNOWN)
    assert (found["status"], found["clientOrderId"], found["filled"]) == ("open", "abc1", 0.0)
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    await exchange.cancel_order(placed["id"], SYMBOL)
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL, KNOWN))["status"] == "canceled"
    assert [order["id"] for order in await exchange.fetch_canceled_orders(SYMBOL)] == [placed["id"]]


async def test_an_order_is_queried_and_canceled_by_client_id(exchange: Any, simulator: Simulator) -> None:
    price = str(below(simulator))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", price, {"clientOrderId": "mine1"})
    (found,) = await exchange.fetch_open_orders(SYMBOL, None, None, {"orderLinkId": "mine1"})
    assert found["id"] == placed["id"]
    canceled = await exchange.cancel_order(None, SYMBOL, {"orderLinkId": "mine1"})
    assert canceled["clientOrderId"] == "mine1"
    with pytest.raises(ccxt.OrderNotFound, match="110001"):
        await exchange.cancel_order(None, SYMBOL, {"orderLinkId": "mine1"})


async def test_a_batch_answers_per_item(exchange: Any, simulator: Simulator) -> None:
    price = str(below(simulator))
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": "0.01", "price": price}
    too_large = {**good, "amount": "900"}
    first, refused, third = await exchange.create_orders([good, too_large, good])
    assert refused["info"]["code"] == 110007
    assert refused["status"] == "rejected"
    canceled = await exchange.cancel_orders([first["id"], third["id"]], SYMBOL)
    assert [order["id"] for order in canceled] == [first["id"], third["id"]]
    assert simulator.engine.open_orders("sim-key") == []


async def test_all_orders_of_a_symbol_are_canceled(exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
    assert len(await exchange.cancel_all_orders(SYMBOL)) == 3
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_market_order_fills_and_makes_a_position(exchange: Any, simulator: Simulator) -> None:
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    found = await exchange.fetch_order(bought["id"], SYMBOL, KNOWN)
    assert (found["status"], found["filled"]) == ("closed", 0.01)
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", 0.01, 10.0)
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert all(trade["takerOrMaker"] == "taker" for trade in trades)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)


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


async def test_public_market_data_is_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)
    assert len(bars) == 20
    assert [bar[0] for bar in bars] == sorted(bar[0] for bar in bars)
    ticker = (await exchange.fetch_bids_asks([SYMBOL]))[SYMBOL]
    assert ticker["bid"] < ticker["ask"]
    book = await exchange.fetch_order_book(SYMBOL, 10)
    assert len(book["bids"]) == len(book["asks"]) == 10
    assert (await exchange.fetch_ticker(SYMBOL))["last"] > 0
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert isinstance(await exchange.fetch_trades(SYMBOL), list)


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


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_position_mode(True, SYMBOL)
    await exchange.create_order(SYMBOL, "market", "buy", "0.02", None, {"positionIdx": 1})
    await exchange.create_order(SYMBOL, "market", "sell", "0.01", None, {"positionIdx": 2})
    positions = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL])}
    assert positions == {"long": 0.02, "short": 0.01}
    with pytest.raises(ccxt.ExchangeError, match="position idx not match position mode"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    with pytest.raises(ccxt.ExchangeError, match="110024"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_one_way_mode_refuses_a_hedge_side(exchange: Any) -> None:
    with pytest.raises(ccxt.NoChange, match="110025"):
        await exchange.set_position_mode(False, SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="position idx not match position mode"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01", None, {"positionIdx": 1})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": "0.0005"}, "10001"),
        ({"price": "100000"}, "110003"),
        ({"qty": "900"}, "110007"),
        ({"price": "100"}, "110094"),
        ({"reduceOnly": True, "side": "Sell"}, "110017"),
        ({"orderLinkId": "not allowed"}, "10001"),
        ({"symbol": "NOPEUSDT"}, "10001"),
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_code(
    exchange: Any, simulator: Simulator, change: dict[str, Any], code: str
) -> None:
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    order |= {"price": str(below(simulator))} | change
    with pytest.raises(ccxt.ExchangeError, match=f'"retCode":{code}'):
        await exchange.private_post_v5_order_create(order)


async def test_a_client_id_is_never_taken_twice(exchange: Any, simulator: Simulator) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    order = (SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "once"})
    placed = await exchange.create_order(*order)
    await exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        await exchange.create_order(*order)


async def test_orders_and_trades_are_watched(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _listening(simulator, "order")
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator, 0)))
    assert [(order["id"], order["status"]) for order in await watching] == [(placed["id"], "open")]
    price = Decimal(str((await exchange.fetch_order(placed["id"], SYMBOL, KNOWN))["price"]))
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await _listening(simulator, "execution")
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), price)
    (trade,) = await trades
    assert (trade["order"], trade["takerOrMaker"], trade["fee"]["currency"]) == (placed["id"], "maker", "USDT")
    closed = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"])
    assert float(closed.filled_quantity) == pytest.approx(trade["amount"])


async def test_balance_and_positions_are_watched(exchange: Any, simulator: Simulator) -> None:
    await exchange.watch_positions([SYMBOL])
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    await _listening(simulator, "wallet")
    await exchange.create_order(SYMBOL, "market", "sell", "0.01")
    assert (await balance)["USDT"]["total"] < 10000
    assert [(row["side"], row["contracts"]) for row in await positions] == [("short", 0.01)]


async def test_market_streams_are_watched() -> None:
    async with Simulator(settings(exchange="bybit")) as live, ccxt_on(live) as exchange:
        await exchange.load_markets()
        bids_asks, bars, book, ticker, trades = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                exchange.watch_order_book("ETH/USDT:USDT"),
                exchange.watch_ticker(SYMBOL),
                exchange.watch_trades(SYMBOL),
            ),
            30,
        )
    assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
    assert bars[-1][4] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["last"] > 0
    assert trades[-1]["amount"] > 0


async def _listening(simulator: Simulator, kind: str) -> None:
    topics = simulator.subscriptions
    await eventually(lambda: list(topics.listeners(f"sim-key {kind}")), what=f"a {kind} stream")
