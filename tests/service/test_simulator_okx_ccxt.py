"""Unmodified ccxt and ccxt.pro trade on the simulated OKX, in contracts; only their addresses are set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.okx_clients import ccxt_okx, okx
from tests.service.venue_clients import below
from tests.support import eventually

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


async def test_markets_and_balance_are_read(exchange: Any) -> None:
    market = exchange.markets[SYMBOL]
    assert set(exchange.markets) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    assert (market["id"], market["contractSize"], market["linear"]) == ("BTC-USDT-SWAP", 0.01, True)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.1, 0.1)
    balance = await exchange.fetch_balance()
    assert balance["USDT"] == {"free": 10000.0, "used": 0.0, "total": 10000.0}


async def test_a_limit_order_is_placed_queried_and_canceled(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(
        SYMBOL, "limit", "buy", "1.5", str(below(simulator)), {"clientOrderId": "abc1"}
    )
    assert placed["clientOrderId"] == "abc1"
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["amount"], found["filled"]) == ("open", 1.5, 0.0)
    assert simulator.engine.open_orders("sim-key")[0].quantity == Decimal("0.015")
    assert [order["id"] for order in await exchange.fetch_open_orders(SYMBOL)] == [placed["id"]]
    await exchange.cancel_order(placed["id"], SYMBOL)
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_order(placed["id"], SYMBOL))["status"] == "canceled"
    assert [order["id"] for order in await exchange.fetch_canceled_orders(SYMBOL)] == [placed["id"]]


async def test_an_order_is_queried_and_canceled_by_client_id(exchange: Any, simulator: Simulator) -> None:
    named = {"clientOrderId": "mine1"}
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "1", str(below(simulator)), named)
    assert (await exchange.fetch_order(None, SYMBOL, named))["id"] == placed["id"]
    assert (await exchange.cancel_order(None, SYMBOL, named))["id"] == placed["id"]
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_answers_per_item(exchange: Any, simulator: Simulator) -> None:
    good = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": "1", "price": str(below(simulator))}
    too_dear = {**good, "amount": "90000"}
    answers = await exchange.create_orders([good, too_dear, good])
    assert {order["status"] for order in answers if order["info"]["sCode"] == "51008"} == {"rejected"}
    placed = [order["id"] for order in answers if order["info"]["sCode"] == "0"]
    assert len(placed) == 2
    canceled = await exchange.cancel_orders(placed, SYMBOL)
    assert [row["info"]["sCode"] for row in canceled] == ["0", "0"]
    with pytest.raises(ccxt.OrderNotFound):
        await exchange.cancel_orders(placed, SYMBOL)


async def test_a_post_only_order_that_would_take_is_accepted_and_canceled(exchange: Any, simulator: Simulator) -> None:
    crossing = str(below(simulator, -1000))
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "1", crossing, {"postOnly": True})
    found = await exchange.fetch_order(placed["id"], SYMBOL)
    assert (found["status"], found["filled"], found["info"]["cancelSource"]) == ("canceled", 0.0, "31")


async def test_a_market_order_fills_and_makes_a_position(exchange: Any, simulator: Simulator) -> None:
    bought = await exchange.create_order(SYMBOL, "market", "buy", "1.5")
    found = await exchange.fetch_order(bought["id"], SYMBOL)
    assert (found["status"], found["filled"]) == ("closed", 1.5)
    (position,) = await exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["contractSize"]) == ("long", 1.5, 0.01)
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert {(trade["order"], trade["takerOrMaker"]) for trade in trades} == {(bought["id"], "taker")}
    assert sum(trade["amount"] for trade in trades) == pytest.approx(1.5)
    paid = sum(trade["fee"]["cost"] for trade in trades)
    assert paid == pytest.approx(float(simulator.engine.balance("sim-key").fees))
    assert found["fee"]["cost"] == pytest.approx(paid)


async def test_fees_stand_in_the_bills(exchange: Any, simulator: Simulator) -> None:
    await exchange.create_order(SYMBOL, "market", "sell", "1")
    ledger = await exchange.fetch_ledger("USDT")
    assert {entry["type"] for entry in ledger} == {"trade"}
    assert float(simulator.engine.balance("sim-key").wallet_balance) == pytest.approx(ledger[-1]["after"])


async def test_public_market_data_is_read(exchange: Any) -> None:
    bars = await exchange.fetch_ohlcv(SYMBOL, "1m", limit=20)
    assert [bar[0] - bars[0][0] for bar in bars] == [60_000 * number for number in range(20)]
    book = await exchange.fetch_order_book(SYMBOL, 10)
    assert len(book["bids"]) == len(book["asks"]) == 10
    ticker = await exchange.fetch_ticker(SYMBOL)
    assert ticker["bid"] < ticker["ask"]
    assert set(await exchange.fetch_tickers([SYMBOL, "ETH/USDT:USDT"])) == {"BTC/USDT:USDT", "ETH/USDT:USDT"}
    funding = await exchange.fetch_funding_rate(SYMBOL)
    assert funding["fundingTimestamp"] > await exchange.fetch_time()
    assert (await exchange.fetch_mark_price(SYMBOL))["markPrice"] > 0
    assert await exchange.fetch_trades(SYMBOL) is not None
    tiers = await exchange.fetch_market_leverage_tiers(SYMBOL)
    assert tiers[0]["maxLeverage"] == 125


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


async def test_hedge_mode_keeps_a_long_and_a_short_side_by_side(exchange: Any) -> None:
    await exchange.set_position_mode(True)
    assert (await exchange.fetch_position_mode())["hedged"] is True
    await exchange.create_order(SYMBOL, "market", "buy", "2", None, {"positionSide": "long"})
    await exchange.create_order(SYMBOL, "market", "sell", "1", None, {"positionSide": "short"})
    positions = {row["side"]: row["contracts"] for row in await exchange.fetch_positions([SYMBOL])}
    assert positions == {"long": 2.0, "short": 1.0}
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await exchange.create_order(SYMBOL, "market", "buy", "1")
    with pytest.raises(ccxt.ExchangeError, match="59000"):
        await exchange.set_position_mode(False)


async def test_one_way_mode_refuses_a_hedge_side(exchange: Any) -> None:
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await exchange.create_order(SYMBOL, "market", "buy", "1", None, {"positionSide": "long"})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sz": "0.15"}, "51121"),
        ({"sz": "0.05"}, "51020"),
        ({"sz": "90000"}, "51008"),
        ({"sz": "-1"}, "51000"),
        ({"px": "45000.05"}, "51006"),
        ({"px": "90000"}, "51006"),
        ({"instId": "NOPE-USDT-SWAP"}, "51001"),
        ({"clOrdId": "with-hyphen"}, "51000"),
        ({"side": "sell", "reduceOnly": True, "px": "45100"}, "51169"),
        ({"tdMode": "isolated"}, "50062"),
    ],
)
async def test_a_bad_order_is_refused_with_the_venues_code(
    exchange: Any, simulator: Simulator, changed: dict[str, Any], code: str
) -> None:
    order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1"}
    with pytest.raises(ccxt.ExchangeError, match=code):
        await exchange.privatePostTradeOrder({**order, "px": str(below(simulator)), **changed})
    assert simulator.engine.open_orders("sim-key") == []


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


async def test_orders_and_trades_are_watched(exchange: Any, simulator: Simulator) -> None:
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    await _listening(simulator)
    placed = await exchange.create_order(SYMBOL, "limit", "buy", "1", str(below(simulator, 0)))
    assert [(order["id"], order["status"]) for order in await watching] == [(placed["id"], "open")]
    told = simulator.statistics.frames_sent
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    await eventually(lambda: simulator.statistics.frames_sent > told, what="the second subscription's answer")
    price = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"]).price
    simulator.market.send_outside_order("BTCUSDT", Side.SELL, Decimal(50), price)
    (trade,) = await trades
    assert (trade["order"], trade["takerOrMaker"], trade["fee"]["currency"]) == (placed["id"], "maker", "USDT")
    filled = simulator.engine.find("sim-key", "BTCUSDT", order_id=placed["id"]).filled_quantity
    assert float(filled) == pytest.approx(trade["amount"] * 0.01)


async def test_balance_and_positions_are_watched(exchange: Any, simulator: Simulator) -> None:
    assert (await exchange.watch_balance())["USDT"]["total"] == 10000
    assert await exchange.watch_positions() == []
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions())
    await asyncio.sleep(0)  # lets them take their places; they need no network to
    await exchange.create_order(SYMBOL, "market", "sell", "1")
    assert (await balance)["USDT"]["total"] < 10000
    assert [(row["side"], row["contracts"]) for row in await positions] == [("short", 1.0)]


async def test_market_streams_are_watched() -> None:
    async with okx() as live, ccxt_okx(live) as exchange:
        await exchange.load_markets()
        bids_asks, bars, book, ticker, trades, mark, funding = await asyncio.wait_for(
            asyncio.gather(
                exchange.watch_bids_asks([SYMBOL]),
                exchange.watch_ohlcv(SYMBOL, "1m"),
                exchange.watch_order_book(SYMBOL),
                exchange.watch_ticker(SYMBOL),
                exchange.watch_trades(SYMBOL),
                exchange.watch_mark_price(SYMBOL),
                exchange.watch_funding_rate(SYMBOL),
            ),
            30,
        )
        for _ in range(20):
            book = await exchange.watch_order_book(SYMBOL)
    assert bids_asks[SYMBOL]["bid"] < bids_asks[SYMBOL]["ask"]
    assert bars[-1][4] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["last"] > 0
    assert trades[-1]["amount"] > 0
    assert mark["markPrice"] > 0
    assert funding["fundingRate"] is not None


async def _listening(simulator: Simulator) -> None:
    """Wait for the answers to login and subscription."""
    await eventually(lambda: simulator.statistics.frames_sent >= 2, what="a private channel")
