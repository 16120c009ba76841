"""Unmodified ccxt and ccxt.pro trade on the simulated Gate; only their URLs are set."""

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
from tests.service.venue_clients import below, settings
from tests.support import eventually

SYMBOL = "BTC/USDT:USDT"
USER = "20000001"
USDT = {"settle": "usdt"}


@asynccontextmanager
async def gate_on(simulator: Simulator) -> AsyncIterator[Any]:
    exchange = ccxt.pro.gate(
        {
            "apiKey": "sim-key",
            "secret": "sim-secret",
            "uid": USER,
            "enableRateLimit": False,
            "options": {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
        }
    )
    for access in ("public", "private"):
        urls = exchange.urls["api"][access]
        urls.update(dict.fromkeys(urls, f"{simulator.url}/api/v4"))
    exchange.urls["api"]["swap"]["usdt"] = simulator.url.replace("http", "ws", 1) + "/v4/ws/futures/usdt"
    exchange.has["fetchCurrencies"] = False
    try:
        yield exchange
    finally:
        await exchange.close()


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


async def test_markets_count_contracts_and_the_balance_is_read(exchange: Any) -> None:
    """F11: contracts are never taken for coins."""
    assert set(exchange.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    market = exchange.markets[SYMBOL]
    assert (market["contractSize"], market["precision"]) == (0.001, {"amount": 1.0, "price": 0.1})
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10000.0, "used": 0.0, "total": 10000.0}


async def test_a_limit_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    price = below(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 10, str(price), {"text": "t-abc1"})
    assert (placed["status"], placed["clientOrderId"], placed["filled"]) == ("open", "t-abc1", 0.0)
    (held,) = simulator.engine.open_orders("sim-key")
    assert (held.quantity, held.client_order_id) == (Decimal("0.010"), "abc1")
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "open"
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert (await exchange.cancel_order(placed["id"], SYMBOL))["status"] == "canceled"
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"
    assert [order["id"] for order in await exchange.fetch_closed_orders(SYMBOL)] == [placed["id"]]


async def test_an_order_is_queried_and_canceled_by_client_id(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "sell", 10, str(below(simulator, -1000)), {"text": "t-mine"})
    found = await exchange.fetch_order(None, SYMBOL, {"clientOrderId": "t-mine"})
    assert (found["id"], found["side"]) == (placed["id"], "sell")
    assert (await exchange.cancel_order("t-mine", SYMBOL))["id"] == placed["id"]


async def test_an_order_that_ended_unfilled_is_forgotten_by_its_client_id_first(
    exchange: Any, simulator: Simulator
) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 10, str(below(simulator)), {"text": "t-gone"})
    await exchange.cancel_order(placed["id"], SYMBOL)
    await simulator.advance(61_000)
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.fetch_order(None, SYMBOL, {"clientOrderId": "t-gone"})
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"


async def test_a_batch_answers_per_item(exchange: Any, simulator: Simulator) -> None:
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 10, "price": str(below(simulator))}
    crossing = {**good, "price": str(below(simulator, -1000)), "params": {"postOnly": True}}
    answers = [order["info"] for order in await exchange.create_orders([good, crossing, good])]
    assert [answer["succeeded"] for answer in answers if "id" in answer] == [True, True]
    assert [answer["label"] for answer in answers if "id" not in answer] == ["ORDER_POC_IMMEDIATE"]
    ids = [answer["id"] for answer in answers if "id" in answer]
    assert [answer["info"]["succeeded"] for answer in await exchange.cancel_orders(ids, SYMBOL, USDT)] == [True, True]
    assert simulator.engine.open_orders("sim-key") == []


async def test_all_orders_of_a_symbol_are_canceled(exchange: Any, simulator: Simulator) -> None:
    for _ in range(3):
        await exchange.create_order(SYMBOL, "limit", "buy", 10, str(below(simulator)))
    assert len(await exchange.cancel_all_orders(SYMBOL)) == 3
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_market_order_fills_and_makes_a_position(exchange: Any, simulator: Simulator) -> None:
    bought = await exchange.create_order(SYMBOL, "market", "sell", 10)
    assert (bought["status"], bought["filled"], bought["side"]) == ("closed", 10.0, "sell")
    (position,) = await exchange.fetch_positions([SYMBOL], {"holding": "true"})
    assert (position["side"], position["contracts"], position["marginMode"]) == ("short", 10.0, "cross")
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert all((trade["takerOrMaker"], trade["side"]) == ("taker", "sell") for trade in trades)
    assert sum(trade["amount"] for trade in trades) == 10
    await exchange.close_position(SYMBOL)
    assert (await exchange.fetch_position(SYMBOL))["contracts"] == 0


async def test_public_market_data_is_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)
    assert len(bars) == 20
    assert [bar[0] for bar in bars] == sorted(bar[0] for bar in bars)
    book = await exchange.fetch_order_book(SYMBOL, 10)
    assert len(book["bids"]) == len(book["asks"]) == 10
    ticker = await exchange.fetch_ticker(SYMBOL)
    assert ticker["last"] > 0
    assert ticker["bid"] < ticker["ask"]
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert await exchange.fetch_trades(SYMBOL) == []
    assert await exchange.fetch_funding_rate_history(SYMBOL) == []


async def test_leverage_and_fees_are_set_and_read(exchange: Any, simulator: Simulator) -> None:
    answer = await exchange.set_leverage(7, SYMBOL, {"marginMode": "cross"})
    assert (answer["leverage"], answer["cross_leverage_limit"]) == ("0", "7")
    assert simulator.engine.leverage("sim-key", "BTCUSDT") == 7
    assert (await exchange.fetch_trading_fee(SYMBOL))["maker"] == 0.0002
    (tier,) = await exchange.fetch_market_leverage_tiers(SYMBOL)
    assert tier["maxLeverage"] == 125
    with pytest.raises(ccxt.BadRequest, match="isolated margin is not simulated"):
        await exchange.set_leverage(7, SYMBOL)


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


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"size": "10.5"}, "INVALID_PARAM_VALUE"),
        ({"price": "45000.05"}, "INVALID_PARAM_VALUE"),
        ({"price": "60000"}, "PRICE_TOO_DEVIATED"),
        ({"size": 900_000}, "INSUFFICIENT_AVAILABLE"),
        ({"size": 2_000_000}, "SIZE_TOO_LARGE"),
        ({"reduce_only": True}, "REDUCE_EXCEEDED"),
        ({"contract": "NOPE_USDT"}, "CONTRACT_NOT_FOUND"),
        ({"text": "mine"}, "INVALID_PARAM_VALUE"),
        ({"text": "t-" + "x" * 29}, "INVALID_PARAM_VALUE"),
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_label(exchange: Any, fields: dict[str, Any], label: str) -> None:
    order = {"settle": "usdt", "contract": "BTC_USDT", "size": 10, "price": "44000"}
    with pytest.raises(ccxt.BaseError, match=label):
        await exchange.privateFuturesPostSettleOrders({**order, **fields})


async def test_a_fill_or_kill_order_that_is_killed_is_told_as_an_error(exchange: Any, simulator: Simulator) -> None:
    best = simulator.engine.best("BTCUSDT")
    more = int(best.ask_quantity * 1000) + 1
    with pytest.raises(ccxt.ExchangeError, match="ORDER_FOK"):
        await exchange.create_order(SYMBOL, "limit", "buy", more, str(best.ask), {"timeInForce": "fok"})
    assert simulator.engine.fills("sim-key") == []


async def test_orders_and_trades_are_watched(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _listening(simulator, "futures.orders")
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 10, str(below(simulator, 0)))
    assert [(order["id"], order["status"]) for order in await watching] == [(placed["id"], "open")]
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await _listening(simulator, "futures.usertrades")
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), Decimal(str(placed["price"])))
    (trade,) = await trades
    assert (trade["order"], trade["takerOrMaker"], trade["side"]) == (placed["id"], "maker", "buy")
    closed = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"])
    assert closed.filled_quantity == Decimal(str(trade["amount"])) * Decimal("0.001")


async def test_balance_and_positions_are_watched(exchange: Any, simulator: Simulator) -> None:
    await exchange.watch_positions([SYMBOL])
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    await _listening(simulator, "futures.balances")
    await _listening(simulator, "futures.positions")
    await exchange.create_order(SYMBOL, "market", "sell", 10)
    assert (await balance)["USDT"]["total"] < 10000
    assert [(row["side"], row["contracts"]) for row in await positions] == [("short", 10.0)]


@pytest.mark.parametrize("wrong", [{"secret": "another"}, {"uid": "1"}, {"apiKey": "another"}])
async def test_a_private_channel_is_refused_who_does_not_sign_for_it(exchange: Any, wrong: dict[str, str]) -> None:
    for name, value in wrong.items():
        setattr(exchange, name, value)
    with pytest.raises((ccxt.AuthenticationError, ccxt.BadRequest)):
        await asyncio.wait_for(exchange.watch_orders(SYMBOL), 60)


async def test_market_streams_are_watched() -> None:
    async with Simulator(settings(exchange="gate", past_minutes=60)) as live, gate_on(live) as exchange:
        await exchange.load_markets()
        bids_asks, bars, book, ticker, trades = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                exchange.watch_order_book(SYMBOL),
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
