"""Unmodified ccxt and ccxt.pro trade on the simulator's Bitget; only their URLs are set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import ccxt.pro
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.settings import ServerRules
from tests.service.venue_clients import below, settings
from tests.support import eventually

SYMBOL = "BTC/USDT:USDT"
UNPACED = ServerRules(weight_per_minute=6_000_000, orders_per_10s=1_000_000)
"""The client is told not to pace itself, so the venue must not mind."""


@asynccontextmanager
async def ccxt_on(simulator: Simulator, **more: Any) -> AsyncIterator[Any]:
    keys = {"apiKey": "sim-key", "secret": "sim-secret", "password": "sim-pass"}
    options = {"defaultType": "swap", "defaultSubType": "linear"}
    exchange = ccxt.pro.bitget({**keys, "enableRateLimit": False, "options": options, **more})
    urls = exchange.urls["api"]
    for name in [name for name in urls if name not in ("ws", "demo")]:
        urls[name] = simulator.url
    for kind in ("ws", "demo"):
        for access in ("public", "private"):
            urls[kind][access] = f"{simulator.url.replace('http', 'ws', 1)}/v2/ws/{access}"
    try:
        yield exchange
    finally:
        await exchange.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """Market time stands still: nothing moves but what a test makes move."""
    async with Simulator(settings(exchange="bitget", clock="manual", past_minutes=60, server=UNPACED)) as simulator:
        yield simulator


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    async with ccxt_on(simulator) as exchange:
        await exchange.load_markets()
        yield exchange


async def test_markets_and_balance_are_read(exchange: Any) -> None:
    markets = exchange.markets
    assert set(markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    market = markets[SYMBOL]
    assert (market["precision"]["amount"], market["precision"]["price"], market["contractSize"]) == (0.001, 0.1, 1)
    assert market["limits"]["cost"]["min"] == 5
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10000.0, "used": 0.0, "total": 10000.0}


async def test_a_limit_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(price), {"clientOrderId": "abc1"})
    assert placed["clientOrderId"] == "abc1"
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["filled"], found["price"]) == ("open", 0.0, float(price))
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert (await exchange.cancel_order(placed["id"], SYMBOL))["id"] == placed["id"]
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"
    assert [order["id"] for order in await exchange.fetch_canceled_orders(SYMBOL)] == [placed["id"]]


async def test_an_order_is_queried_and_canceled_by_client_id(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "mine1"}
    )
    assert (await exchange.fetch_order(None, SYMBOL, {"clientOrderId": "mine1"}))["id"] == placed["id"]
    assert (await exchange.cancel_order(None, SYMBOL, {"clientOrderId": "mine1"}))["clientOrderId"] == "mine1"


async def test_a_batch_answers_what_was_done_and_what_was_refused(exchange: Any, simulator: Simulator) -> None:
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": "0.01", "price": str(below(simulator))}
    poor = {**good, "amount": "0.001", "price": "1", "params": {"clientOrderId": "poor1"}}
    exchange.enableLastJsonResponse = True
    placed = [order["id"] for order in await exchange.create_orders([good, poor, good])]
    # ccxt leaves out what has no symbol, so the refusal shows in the raw answer only.
    (refused,) = exchange.last_json_response["data"]["failureList"]
    assert (refused["clientOid"], refused["errorCode"]) == ("poor1", "45110")
    assert [order["id"] for order in await exchange.cancel_orders(placed, SYMBOL)] == placed
    assert simulator.engine.open_orders("sim-key") == []


async def test_all_orders_of_a_symbol_are_canceled(exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
    assert len(await exchange.cancel_all_orders(SYMBOL)) == 3
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_market_order_fills_and_makes_a_position(exchange: Any) -> None:
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    found = await exchange.fetch_order(bought["id"], SYMBOL)
    assert (found["status"], found["filled"]) == ("closed", 0.01)
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["hedged"]) == ("long", 0.01, False)
    assert (await exchange.fetch_position(SYMBOL))["contracts"] == 0.01
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert all(trade["takerOrMaker"] == "taker" for trade in trades)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)


async def test_fills_are_paged_by_id(exchange: Any) -> None:
    for side in ("buy", "sell", "buy"):
        await exchange.create_order(SYMBOL, "market", side, "0.01")
    newest = (await exchange.fetch_my_trades(SYMBOL, limit=1))[0]
    older = await exchange.fetch_my_trades(SYMBOL, params={"idLessThan": newest["id"]})
    everything = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["id"] for trade in older} == {trade["id"] for trade in everything} - {newest["id"]}


async def test_public_market_data_is_read(exchange: Any) -> None:
    assert len(await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)) == 20
    ticker = await exchange.fetch_ticker(SYMBOL)
    assert ticker["bid"] < ticker["ask"]
    assert set(await exchange.fetch_tickers()) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    book = await exchange.fetch_order_book(SYMBOL, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert (await exchange.fetch_mark_price(SYMBOL))["markPrice"] > 0
    assert await exchange.fetch_trades(SYMBOL) is not None


async def test_leverage_modes_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    assert (await exchange.set_leverage(7, SYMBOL))["data"]["crossMarginLeverage"] == "7"
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_leverage(SYMBOL))["longLeverage"] == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    assert (await exchange.set_margin_mode("cross", SYMBOL))["code"] == "00000"
    assert (await exchange.fetch_margin_mode(SYMBOL))["marginMode"] == "cross"
    with pytest.raises(ccxt.ExchangeError, match="40805"):
        await exchange.set_margin_mode("isolated", SYMBOL)
    tiers = await exchange.fetch_market_leverage_tiers(SYMBOL)
    assert tiers[0]["maxLeverage"] == 125


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    await exchange.set_position_mode(True, SYMBOL)
    await exchange.create_order(SYMBOL, "market", "buy", "0.02", None, {"hedged": True})
    await exchange.create_order(SYMBOL, "market", "sell", "0.01", None, {"hedged": True})
    await exchange.create_order(SYMBOL, "market", "sell", "0.005", None, {"hedged": True, "reduceOnly": True})
    positions = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL])}
    assert positions == {"long": 0.015, "short": 0.01}
    with pytest.raises(ccxt.ExchangeError, match="40774"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    with pytest.raises(ccxt.ExchangeError, match="40920"):
        await exchange.set_position_mode(False, SYMBOL)


async def test_one_way_mode_refuses_a_trade_side(exchange: Any) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    with pytest.raises(ccxt.ExchangeError, match="40774"):
        await exchange.create_order(SYMBOL, "market", "buy", "0.01", None, {"hedged": True})


async def test_a_closing_order_in_hedge_mode_is_told_as_one(exchange: Any, simulator: Simulator) -> None:
    await exchange.set_position_mode(True, SYMBOL)
    await exchange.create_order(SYMBOL, "market", "buy", "0.02", None, {"hedged": True})
    price = str(below(simulator, -2000))
    closing = {"hedged": True, "reduceOnly": True}
    placed = await exchange.create_order(SYMBOL, "limit", "sell", "0.01", price, closing)
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["side"], found["reduceOnly"], found["info"]["tradeSide"]) == ("sell", True, "close")


async def test_a_post_only_order_that_would_take_is_accepted_and_canceled(exchange: Any, simulator: Simulator) -> None:
    """F18: a post-only order never takes."""
    price = str(below(simulator, -1000))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", price, {"postOnly": True})
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["filled"], found["postOnly"]) == ("canceled", 0.0, True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"size": "0.0005"}, "40808"),
        ({"price": "45000.05"}, "45115"),
        ({"size": "900"}, "40762"),
        ({"price": "1", "size": "0.001"}, "45110"),
        ({"reduceOnly": "YES", "side": "sell"}, "22002"),
        ({"symbol": "NOPEUSDT"}, "40034"),
        ({"clientOid": "no spaces"}, "40305"),
        ({"marginMode": "isolated"}, "40805"),
        ({"productType": "COIN-FUTURES"}, "40020"),
        ({"size": ""}, "40019"),
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_code(exchange: Any, fields: dict[str, str], code: str) -> None:
    order = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
    order |= {"side": "buy", "orderType": "limit", "force": "gtc", "size": "0.01", "price": "44000.0"}
    with pytest.raises(ccxt.BaseError, match=f'"{code}"'):
        await exchange.privateMixPostV2MixOrderPlaceOrder(order | fields)


async def test_a_client_id_is_good_for_one_order_only(exchange: Any, simulator: Simulator) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    order = (SYMBOL, "limit", "buy", "0.01", str(below(simulator)), {"clientOrderId": "once1"})
    placed = await exchange.create_order(*order)
    await exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="40786"):
        await exchange.create_order(*order)


async def test_cancels_of_what_is_not_open_tell_why(exchange: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="40768"):
        await exchange.cancel_order("987654321", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound, match="40109"):
        await exchange.fetch_order("987654321", SYMBOL)
    bought = await exchange.create_order(SYMBOL, "market", "buy", "0.01")
    with pytest.raises(ccxt.ExchangeError, match="22001"):
        await exchange.cancel_order(bought["id"], SYMBOL)


@pytest.mark.parametrize(
    ("field", "code"), [("apiKey", "40006"), ("secret", "40009"), ("password", "40012")], ids=["key", "sign", "pass"]
)
async def test_wrong_credentials_are_refused_with_the_venues_code(simulator: Simulator, field: str, code: str) -> None:
    async with ccxt_on(simulator, **{field: "wrong"}) as exchange:
        with pytest.raises(ccxt.AuthenticationError, match=code):
            await exchange.privateMixGetV2MixAccountAccounts({"productType": "USDT-FUTURES"})
        with pytest.raises(ccxt.AuthenticationError):
            await asyncio.wait_for(exchange.watch_orders(SYMBOL), 60)


async def test_a_timestamp_half_a_minute_off_is_refused(exchange: Any, simulator: Simulator) -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    simulator.market.clock.skew_ms = 31_000
    with pytest.raises(ccxt.InvalidNonce, match="40008"):
        await exchange.fetch_balance()


async def test_demo_trading_is_the_same_with_its_header(simulator: Simulator) -> None:
    async with ccxt_on(simulator) as exchange:
        exchange.enable_demo_trading(True)
        await exchange.load_markets()
        assert exchange.sign("v2/mix/order/detail", ["private", "mix"])["headers"]["PAPTRADING"] == "1"
        watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await _listening(simulator)
        placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator)))
        assert [order["id"] for order in await asyncio.wait_for(watching, 60)] == [placed["id"]]


async def test_an_endpoint_asked_too_often_answers_429_and_tells_what_is_left() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with Simulator(settings(exchange="bitget", clock="manual")) as simulator, ccxt_on(simulator) as exchange:
        clock = simulator.market.clock
        clock.skew_ms = 20 - clock.server_ms() % 1000
        asked = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
        await exchange.privateMixGetV2MixPositionAllPosition(asked)
        assert exchange.last_response_headers["x-mbx-used-remain-limit"] == "4"
        with pytest.raises(ccxt.DDoSProtection, match='"429"'):
            await asyncio.gather(*(exchange.privateMixGetV2MixPositionAllPosition(asked) for _ in range(50)))


async def test_orders_and_trades_are_watched(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _listening(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "0.01", str(below(simulator, 0)))
    assert [(order["id"], order["status"]) for order in await asyncio.wait_for(watching, 60)] == [
        (placed["id"], "open")
    ]
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await eventually(lambda: "fill" in _heard(simulator), what="the fill channel")
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), below(simulator, 0))
    (trade,) = await asyncio.wait_for(trades, 60)
    assert (trade["order"], trade["takerOrMaker"], trade["fee"]["currency"]) == (placed["id"], "maker", "USDT")
    closed = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"])
    assert float(closed.filled_quantity) == pytest.approx(trade["amount"])


async def test_balance_and_positions_are_watched(exchange: Any, simulator: Simulator) -> None:
    assert await asyncio.wait_for(exchange.watch_positions([SYMBOL]), 60) == []
    first = await asyncio.wait_for(exchange.watch_balance(), 60)
    assert first["USDT"]["total"] == 10000
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    await asyncio.sleep(0)  # lets them take their place; they need no network to
    await exchange.create_order(SYMBOL, "market", "sell", "0.01")
    told = await asyncio.wait_for(positions, 60)
    assert [(row["side"], row["contracts"]) for row in told] == [("short", 0.01)]
    assert (await asyncio.wait_for(balance, 60))["USDT"]["total"] < 10000


async def test_market_streams_are_watched() -> None:
    async with Simulator(settings(exchange="bitget")) as live, ccxt_on(live) as exchange:
        await exchange.load_markets()
        bids_asks, bars, ticker, trades = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                exchange.watch_ticker(SYMBOL),
                exchange.watch_trades(SYMBOL),
            ),
            30,
        )
    assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
    assert bars[-1][4] > 0
    assert ticker["last"] > 0
    assert trades[-1]["amount"] > 0


@pytest.mark.parametrize("limit", [None, 1, 5, 15], ids=["whole", "1", "5", "15"])
async def test_a_book_is_watched_and_its_checksum_holds(limit: int | None) -> None:
    async with Simulator(settings(exchange="bitget")) as live, ccxt_on(live) as exchange:
        await exchange.load_markets()
        async with asyncio.timeout(30):
            for _ in range(5):
                book = await exchange.watch_order_book(SYMBOL, limit)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert limit is None or len(book["bids"]) == limit


def _heard(simulator: Simulator) -> set[str]:
    return {topic.partition("|")[2] for topic in simulator.subscriptions.topics()}


async def _listening(simulator: Simulator) -> None:
    await eventually(lambda: "orders" in _heard(simulator), what="the orders channel")
