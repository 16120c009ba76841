"""Gate's frames and rows, as its documents show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import MarginMode, Position
from opensqt.model.errors import PermissionDenied
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.events import BalanceChange, FillsPending, StreamReady
from opensqt.venues.gate.adapter import GateAdapter
from opensqt.venues.gate.parse import GateParser, key_warnings, parse_order, parse_position

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(0),
    contract_size=Decimal("0.0001"),
)
ORDER: dict[str, Any] = {
    "id": 15675394, "user": 100000, "contract": "BTC_USDT", "create_time": 1546569968.015, "size": "6024",
    "iceberg": "0", "left": "6024", "price": "3765", "fill_price": "0", "mkfr": "-0.00025", "tkfr": "0.00075",
    "tif": "gtc", "refu": 0, "is_reduce_only": False, "is_close": False, "is_liq": False, "text": "t-my1",
    "status": "open", "finish_time": 0, "finish_as": "", "update_time": 1546569970.5,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "contract": "BTC_USDT", "cross_leverage_limit": 10, "entry_price": 40000.366666, "history_pnl": -0.000108569505,
    "leverage": 0, "leverage_max": 100, "liq_price": 0.1, "maintenance_rate": 0.005, "margin": 49.999890611186,
    "mode": "single", "realised_pnl": -1.25e-8, "size": "-3", "time": 1628736848, "time_ms": 1628736848321,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "id": "3335259", "create_time": 1628736848, "create_time_ms": 1628736848321, "contract": "BTC_USDT",
    "order_id": "4872460", "size": "1", "price": "40000.4", "role": "maker", "text": "t-my1", "fee": 0.0009290592,
    "point_fee": 0,
}  # fmt: skip


@pytest.fixture
def venue() -> GateAdapter:
    made = GateAdapter(VenueSettings(name="gate"), None, None)  # type: ignore[arg-type]
    made.rules_by_id = {"BTC_USDT": RULES}
    return made


@pytest.fixture
def parser(venue: GateAdapter) -> GateParser:
    made = GateParser(venue)
    made.held_sides.begin(["BTCUSDT"], [])
    return made


def update(channel: str, result: Any) -> dict[str, Any]:
    return {"time": 1628736848, "time_ms": 1628736848321, "channel": channel, "event": "update", "result": result}


def read(parser: GateParser, channel: str, *rows: dict[str, Any]) -> list[Any]:
    events = parser.parse(update(channel, list(rows)))
    assert events is not None
    return list(events)


def test_an_order_counts_coins_and_keeps_the_client_id() -> None:
    """F11: contracts are never taken for coins.
    F22: a client order id keeps the venue's rule and comes back unchanged.
    """
    order = parse_order(ORDER, RULES, hedge=False)
    assert (order.quantity, order.side, order.price) == (Decimal("0.6024"), Side.BUY, Decimal(3765))
    assert (order.client_order_id, order.order_id, order.status) == ("my1", "15675394", OrderStatus.OPEN)
    assert order.event_time_ms == 1546569970500


@pytest.mark.parametrize("text", ["web", "api", "app", "-", "", "ao-123"])
def test_an_order_placed_elsewhere_has_no_client_id(text: str) -> None:
    assert parse_order(ORDER | {"text": text}, RULES, hedge=False).client_order_id == ""


@pytest.mark.parametrize(
    ("change", "status", "filled"),
    [
        ({"left": "24"}, OrderStatus.PARTIALLY_FILLED, "0.6"),
        ({"left": "0", "status": "finished", "finish_as": "filled"}, OrderStatus.FILLED, "0.6024"),
        ({"status": "finished", "finish_as": "cancelled"}, OrderStatus.CANCELED, "0"),
        ({"left": "24", "status": "finished", "finish_as": "ioc"}, OrderStatus.EXPIRED, "0.6"),
        ({"status": "finished", "finish_as": "reduce_only"}, OrderStatus.EXPIRED, "0"),
        ({"status": "finished", "finish_as": "stp"}, OrderStatus.EXPIRED, "0"),
        ({"status": "finished", "finish_as": "something_new"}, OrderStatus.EXPIRED, "0"),
    ],
)
def test_how_an_order_finished_is_its_status(change: dict[str, Any], status: OrderStatus, filled: str) -> None:
    order = parse_order(ORDER | change, RULES, hedge=False)
    assert (order.status, order.filled_quantity) == (status, Decimal(filled))


def test_a_negative_size_without_a_price_is_a_market_sell() -> None:
    order = parse_order(ORDER | {"size": -10, "left": -10, "price": "0", "tif": "ioc"}, RULES, hedge=False)
    assert (order.side, order.order_type, order.price) == (Side.SELL, OrderType.MARKET, None)
    assert (order.quantity, order.time_in_force) == (Decimal("0.001"), TimeInForce.GTC)


@pytest.mark.parametrize(
    ("size", "reduces", "side"),
    [
        (5, False, PositionSide.LONG),
        (-5, True, PositionSide.LONG),
        (-5, False, PositionSide.SHORT),
        (5, True, PositionSide.SHORT),
    ],
)
def test_in_dual_mode_sign_and_flag_name_the_position(size: int, reduces: bool, side: PositionSide) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero.
    F20: hedge mode and one-way mode are never mixed up.
    """
    row = ORDER | {"size": size, "left": size, "is_reduce_only": reduces}
    assert parse_order(row, RULES, hedge=True).position_side is side


def test_a_position_keeps_its_sign_and_its_leverage(parser: GateParser) -> None:
    """F11: contracts are never taken for coins.
    F12: the sign and the side of a position are kept, and flat is an explicit zero.
    """
    (position,) = read(parser, "futures.positions", POSITION)
    assert isinstance(position, Position)
    assert (position.quantity, position.leverage, position.margin_mode) == (
        Decimal("-0.0003"), Decimal(10), MarginMode.CROSS,
    )  # fmt: skip
    assert position.event_time_ms == 1628736848321
    isolated = parse_position(POSITION | {"leverage": "7"}, RULES)
    assert (isolated.leverage, isolated.margin_mode) == (Decimal(7), MarginMode.ISOLATED)


def test_a_position_of_the_other_mode_is_ignored(parser: GateParser) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    assert read(parser, "futures.positions", POSITION | {"mode": "dual_long"}) == []


def test_a_trade_that_opens_is_published_at_once(parser: GateParser) -> None:
    (fill,) = read(parser, "futures.usertrades", TRADE)
    assert isinstance(fill, Fill)
    assert (fill.quantity, fill.fee, fill.is_maker) == (Decimal("0.0001"), Decimal("0.0009290592"), True)
    assert (fill.trade_id, fill.order_id, fill.client_order_id) == ("3335259", "4872460", "my1")


def test_a_trade_that_may_close_something_is_queried_for_its_profit(parser: GateParser) -> None:
    """F36: the stream has no profit, and without it the fill would count as if it had earned nothing."""
    read(parser, "futures.usertrades", TRADE)
    (waiting,) = read(parser, "futures.usertrades", TRADE | {"id": "3335260", "size": "-1"})
    assert waiting == FillsPending("BTCUSDT")


def test_a_repeated_trade_does_not_move_what_is_held(parser: GateParser) -> None:
    """F8: a fill counts once, however often it is reported."""
    for _ in range(3):
        read(parser, "futures.usertrades", TRADE)
    read(parser, "futures.usertrades", TRADE | {"id": "3335260", "size": "-1"})
    (opens,) = read(parser, "futures.usertrades", TRADE | {"id": "3335261", "size": "-1"})
    assert isinstance(opens, Fill)


def test_a_position_older_than_the_last_trade_changes_nothing(parser: GateParser) -> None:
    """F5: no order is sized on a position older than the last fill."""
    read(parser, "futures.usertrades", TRADE)
    read(parser, "futures.positions", POSITION | {"size": "0", "time_ms": 1628736848320})
    assert read(parser, "futures.usertrades", TRADE | {"id": "2", "size": "-1"}) == [FillsPending("BTCUSDT")]


def test_orders_balances_and_prices_are_read(parser: GateParser) -> None:
    row = ORDER | {"create_time_ms": 1628736847325, "finish_time_ms": 1628736848321, "price": 40000.4}
    (updated,) = read(parser, "futures.orders", row)
    assert isinstance(updated, OrderUpdate)
    assert (updated.order.price, updated.order.event_time_ms) == (Decimal("40000.4"), 1628736848321)
    balance = {"balance": 9.998739899488, "change": -2.074115e-06, "text": "BTC_USDT:3914424", "time": 1547199246,
               "time_ms": 1547199246123, "type": "fee", "user": "211xxx"}  # fmt: skip
    (change,) = read(parser, "futures.balances", balance, balance | {"currency": "btc"})
    assert isinstance(change, BalanceChange)
    assert (change.wallet_balance, change.event_time_ms) == (Decimal("9.998739899488"), 1547199246123)
    ticker = {
        "t": 1615366379123,
        "u": 2517661076,
        "s": "BTC_USDT",
        "b": "54696.6",
        "B": "37000",
        "a": "54696.7",
        "A": 47061,
    }
    (price,) = parser.parse(update("futures.book_ticker", ticker)) or ()
    assert isinstance(price, Price)
    assert (price.bid, price.bid_quantity, price.ask_quantity) == (
        Decimal("54696.6"),
        Decimal("3.7"),
        Decimal("4.7061"),
    )


def test_a_candle_counts_coins_and_is_open_until_it_is_marked_closed(parser: GateParser) -> None:
    row = {"t": 1545129300, "v": "27525555", "c": "95.4", "h": "96.9", "l": "89.5", "o": "94.3", "n": "1m_BTC_USDT"}
    (candle,) = read(parser, "futures.candlesticks", row)
    assert isinstance(candle, Candle)
    assert (candle.volume, candle.open_time_ms, candle.closed) == (Decimal("2752.5555"), 1545129300000, False)
    assert read(parser, "futures.candlesticks", row | {"n": "1m_OTHER_USDT"}) == []


def test_the_account_is_ready_when_all_its_channels_are(parser: GateParser) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    channels = ["futures.orders", "futures.usertrades", "futures.positions", "futures.balances"]
    acknowledged = [parser.parse({"channel": channel, "event": "subscribe", "error": None}) for channel in channels]
    assert [list(events or ()) for events in acknowledged] == [[], [], [], [StreamReady()]]
    parser.acks.expect_all()
    assert parser.parse({"channel": channels[0], "event": "subscribe", "error": None}) == ()


def test_a_refused_subscription_is_left_to_ccxt(parser: GateParser) -> None:
    assert parser.parse({"channel": "futures.orders", "event": "subscribe", "error": {"code": 4}}) is None


def test_a_future_channel_is_counted_and_ignored(venue: GateAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    assert venue.parse(update("futures.something", {"new": 1})) == ()
    assert dict(venue.unknown_events) == {"futures.something": 1}


def rights(**read_only: bool) -> dict[str, Any]:
    return {"perms": [{"name": name, "read_only": only} for name, only in read_only.items()]}


def test_a_key_that_may_not_trade_is_refused() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    for keys in (rights(futures=True), rights(spot=False)):
        with pytest.raises(PermissionDenied, match="may not trade futures"):
            key_warnings(keys)


def test_a_key_that_may_move_money_is_warned_of() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    assert key_warnings(rights(futures=False, wallet=True)) == []
    (money,) = key_warnings(rights(futures=False, wallet=False))
    assert "move money" in money
