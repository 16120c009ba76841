"""Binance's frames and rows, as its documents show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Position, PositionMode
from opensqt.model.market import Candle, Price
from opensqt.model.order import OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.binance.adapter import BinanceAdapter
from opensqt.venues.binance.parse import parse_order
from opensqt.venues.events import BalanceChange, LeverageChange, StreamExpired

TRADE: dict[str, Any] = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 1568879465651,
    "T": 1568879465650,
    "o": {
        "s": "BTCUSDT", "c": "mine1", "S": "SELL", "o": "LIMIT", "f": "GTX", "q": "0.003", "p": "9910.10",
        "ap": "9910.10", "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 8886774, "l": "0.001", "z": "0.001",
        "L": "9910.10", "N": "USDT", "n": "0.00198202", "T": 1568879465650, "t": 77, "b": "0", "a": "9.91", "m": True,
        "R": True, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "1.25", "pP": False,
    },
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "e": "ACCOUNT_UPDATE",
    "E": 1564745798939,
    "T": 1564745798938,
    "a": {
        "m": "ORDER",
        "B": [
            {"a": "USDT", "wb": "122624.12345678", "cw": "100.12345678", "bc": "0"},
            {"a": "BNB", "wb": "1.00000000", "cw": "0.00000000", "bc": "0"},
        ],
        "P": [
            {"s": "BTCUSDT", "pa": "0", "ep": "0.00000", "cr": "200", "up": "0", "mt": "cross", "ps": "BOTH"},
            {"s": "BTCUSDT", "pa": "20", "ep": "6563.6", "cr": "0", "up": "2850.2", "mt": "cross", "ps": "LONG"},
            {"s": "BTCUSDT", "pa": "-10", "ep": "6563.8", "cr": "-45", "up": "-1423", "mt": "cross", "ps": "SHORT"},
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def venue() -> BinanceAdapter:
    settings = VenueSettings(name="binance")
    made = BinanceAdapter(settings, None, None)  # type: ignore[arg-type]
    made.rules_by_id = {"BTCUSDT": None}  # type: ignore[dict-item]
    return made


def parsed(venue: BinanceAdapter, frame: dict[str, Any]) -> list[Any]:
    events = venue.parse(frame)
    assert events is not None
    return list(events)


def test_a_trade_is_an_order_and_its_fill(venue: BinanceAdapter) -> None:
    (update,) = parsed(venue, TRADE)
    assert isinstance(update, OrderUpdate)
    order, fill = update.order, update.fill
    assert fill is not None
    assert (order.status, order.filled_quantity, order.order_id) == (
        OrderStatus.PARTIALLY_FILLED, Decimal("0.001"), "8886774",
    )  # fmt: skip
    assert (order.time_in_force, order.reduce_only, order.side) == (TimeInForce.POST_ONLY, True, Side.SELL)
    assert (fill.trade_id, fill.fee, fill.fee_asset, fill.is_maker) == ("77", Decimal("0.00198202"), "USDT", True)
    assert (fill.realized_pnl, fill.client_order_id) == (Decimal("1.25"), "mine1")


def test_an_event_without_a_trade_has_no_fill(venue: BinanceAdapter) -> None:
    frame = TRADE | {"o": TRADE["o"] | {"x": "NEW", "X": "NEW", "l": "0", "z": "0", "ap": "0", "t": 0}}
    (update,) = parsed(venue, frame)
    assert (update.fill, update.order.status, update.order.average_price) == (None, OrderStatus.OPEN, None)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (PositionMode.ONE_WAY, {PositionSide.BOTH: Decimal(0)}),
        (PositionMode.HEDGE, {PositionSide.LONG: Decimal(20), PositionSide.SHORT: Decimal(-10)}),
    ],
)
def test_positions_keep_their_sign_and_flat_is_published(
    venue: BinanceAdapter, mode: PositionMode, expected: dict[PositionSide, Decimal]
) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    venue.position_mode = mode
    positions = [event for event in parsed(venue, ACCOUNT) if isinstance(event, Position)]
    assert {position.position_side: position.quantity for position in positions} == expected


def test_only_the_margin_asset_is_the_balance(venue: BinanceAdapter) -> None:
    balances = [event for event in parsed(venue, ACCOUNT) if isinstance(event, BalanceChange)]
    assert [balance.wallet_balance for balance in balances] == [Decimal("122624.12345678")]


def test_a_book_ticker_is_a_price(venue: BinanceAdapter) -> None:
    frame = {
        "e": "bookTicker", "u": 400900217, "E": 1568014460893, "T": 1568014460891, "s": "BTCUSDT",
        "b": "25.35190000", "B": "31.21000000", "a": "25.36520000", "A": "40.66000000",
    }  # fmt: skip
    (price,) = parsed(venue, frame)
    assert isinstance(price, Price)
    assert (price.bid, price.ask_quantity, price.event_time_ms) == (Decimal("25.3519"), Decimal("40.66"), 1568014460891)


def test_a_kline_is_a_candle_and_says_when_it_closed(venue: BinanceAdapter) -> None:
    row = {
        "t": 1638747660000, "T": 1638747719999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200, "o": "0.0010",
        "c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100, "x": True, "q": "1.0000", "V": "500",
    }  # fmt: skip
    (candle,) = parsed(venue, {"e": "kline", "E": 1638747719999, "s": "BTCUSDT", "k": row})
    assert isinstance(candle, Candle)
    assert (candle.closed, candle.high, candle.quote_volume) == (True, Decimal("0.0025"), Decimal(1))


def test_the_other_account_events(venue: BinanceAdapter) -> None:
    leverage = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}}
    assert parsed(venue, leverage) == [LeverageChange(symbol="BTCUSDT", leverage=Decimal(25))]
    assert parsed(venue, {"e": "listenKeyExpired", "E": 1, "listenKey": "x"}) == [StreamExpired()]


def test_a_future_event_is_counted_and_ignored(venue: BinanceAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    assert parsed(venue, {"e": "SOMETHING_NEW", "E": 1}) == []
    assert venue.unknown_events["SOMETHING_NEW"] == 1


def test_a_response_to_a_request_is_left_to_ccxt(venue: BinanceAdapter) -> None:
    assert venue.parse({"result": None, "id": 1}) is None


def test_an_order_placed_elsewhere_with_a_type_of_its_own_is_still_read() -> None:
    """F25: one unknown field or value never stops a stream."""
    row = {
        "symbol": "BTCUSDT", "side": "SELL", "origQty": "1", "executedQty": "0", "avgPrice": "0.0", "price": "0",
        "clientOrderId": "web_1", "orderId": 5, "status": "NEW", "type": "TRAILING_STOP_MARKET", "timeInForce": "GTD",
        "reduceOnly": False, "positionSide": "BOTH", "updateTime": 1,
    }  # fmt: skip
    order = parse_order(row)
    assert (order.order_type, order.time_in_force, order.price) == (OrderType.MARKET, TimeInForce.GTC, None)
