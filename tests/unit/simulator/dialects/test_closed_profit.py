"""What a venue says of closed positions and of open interest is what the account's ledger says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import OrderType, Side
from opensqt.simulator.engine.order import NewOrder
from tests.unit.simulator.dialects.asking import Asker

CLOSED: dict[str, tuple[str, dict[str, str], Callable[[Any], Any]]] = {
    "bitget": (
        "GET /api/v2/mix/position/history-position",
        {"productType": "USDT-FUTURES"},
        lambda answer: [row["netProfit"] for row in answer["data"]["list"]],
    ),
    "bybit": (
        "GET /v5/position/closed-pnl",
        {"category": "linear"},
        lambda answer: [row["closedPnl"] for row in answer["result"]["list"]],
    ),
    "gate": (
        "GET /api/v4/futures/usdt/position_close",
        {},
        lambda answer: [row["pnl"] for row in answer],
    ),
    "okx": (
        "GET /api/v5/account/positions-history",
        {"instType": "SWAP"},
        lambda answer: [row["realizedPnl"] for row in answer["data"]],
    ),
}
INTEREST: dict[str, tuple[str, dict[str, str], Callable[[Any], Any]]] = {
    "binance": ("GET /fapi/v1/openInterest", {"symbol": "BTCUSDT"}, lambda answer: answer["openInterest"]),
    "bitget": (
        "GET /api/v2/mix/market/open-interest",
        {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"},
        lambda answer: answer["data"]["openInterestList"][0]["size"],
    ),
    "bybit": (
        "GET /v5/market/open-interest",
        {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "5min"},
        lambda answer: answer["result"]["list"][0]["openInterest"],
    ),
    "okx": (
        "GET /api/v5/public/open-interest",
        {"instType": "SWAP", "instId": "BTC-USDT-SWAP"},
        lambda answer: answer["data"][0]["oiCcy"],
    ),
}


def trade(asker: Asker, side: Side, quantity: str) -> None:
    wanted = NewOrder(symbol="BTCUSDT", side=side, quantity=Decimal(quantity), order_type=OrderType.MARKET)
    assert asker.engine.place("sim-key", wanted).filled_quantity == wanted.quantity


@pytest.mark.parametrize("venue", sorted(CLOSED))
async def test_closed_profit_is_the_change_of_the_balance(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(venue, monkeypatch)
    for side, quantity in ((Side.BUY, "0.200"), (Side.SELL, "0.200"), (Side.SELL, "0.100"), (Side.BUY, "0.100")):
        trade(asker, side, quantity)
    endpoint, params, profits = CLOSED[venue]
    found = [Decimal(each) for each in profits(asker.ask(endpoint, **params))]
    assert len(found) == 2
    assert sum(found) == pytest.approx(asker.engine.balance("sim-key").wallet_balance - 10_000, abs=Decimal("1e-7"))


@pytest.mark.parametrize("venue", sorted(INTEREST))
async def test_open_interest_is_what_the_accounts_hold(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(venue, monkeypatch)
    trade(asker, Side.SELL, "0.200")
    endpoint, params, interest = INTEREST[venue]
    assert Decimal(interest(asker.ask(endpoint, **params))) == Decimal("0.2")


async def test_an_order_of_the_largest_size_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker("okx", monkeypatch)
    price = f"{asker.engine.mark('BTCUSDT').mark_price * 98 / 100:.1f}"
    order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross"}
    most = asker.ask("GET /api/v5/account/max-size", **order, px=price)["data"][0]["maxBuy"]
    more = {**order, "side": "buy", "ordType": "limit", "px": price}
    (answer,) = asker.ask("POST /api/v5/trade/order", {**more, "sz": most})["data"]
    assert answer["sCode"] == "0"


MARKS: dict[str, tuple[str, dict[str, str], Callable[[Any], Any]]] = {
    "binance": ("GET /fapi/v1/markPriceKlines", {"symbol": "BTCUSDT", "interval": "1h"}, lambda answer: answer[-1][4]),
    "bitget": (
        "GET /api/v2/mix/market/candles",
        {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "granularity": "1H", "kLineType": "MARK"},
        lambda answer: answer["data"][-1][4],
    ),
    "bybit": (
        "GET /v5/market/mark-price-kline",
        {"category": "linear", "symbol": "BTCUSDT", "interval": "60"},
        lambda answer: answer["result"]["list"][0][4],
    ),
    "gate": (
        "GET /api/v4/futures/usdt/candlesticks",
        {"contract": "mark_BTC_USDT", "interval": "1h"},
        lambda answer: answer[-1]["c"],
    ),
    "okx": (
        "GET /api/v5/market/mark-price-candles",
        {"instId": "BTC-USDT-SWAP", "bar": "1H"},
        lambda answer: answer["data"][0][4],
    ),
}


@pytest.mark.parametrize("venue", sorted(MARKS))
async def test_the_candle_of_the_mark_price_closes_at_the_mark_price(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = Asker(venue, monkeypatch)
    asker.engine.set_mark("BTCUSDT", Decimal(44_321))
    endpoint, params, closes = MARKS[venue]
    assert Decimal(closes(asker.ask(endpoint, **params))) == 44_321
