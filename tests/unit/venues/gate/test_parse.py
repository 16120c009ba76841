"""Gate's frames, rows and labels, as its documents show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from opensqt.model import errors
from opensqt.model.account import MarginMode, Position
from opensqt.model.errors import ExchangeError, OrderNotFound, OrderRejected, PermissionDenied
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, OrderRef, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.gate import errors as gate_codes
from opensqt.venues.gate import parse as gate_rows
from opensqt.venues.gate.frames import Frames
from opensqt.venues.transport.errors import VenueReply, translate
from opensqt.venues.venue import BalanceChange, FillsPending, StreamReady

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
def frames() -> Frames:
    made = Frames(lambda _kind: None)
    made.contracts = {"BTC_USDT": RULES}
    made.holdings.begin(["BTCUSDT"], [])
    return made


def update(channel: str, result: Any) -> dict[str, Any]:
    return {"time": 1628736848, "time_ms": 1628736848321, "channel": channel, "event": "update", "result": result}


def read(frames: Frames, channel: str, *rows: dict[str, Any]) -> list[Any]:
    events = frames.read(update(channel, list(rows)))
    assert events is not None
    return list(events)


def test_an_order_counts_coins_and_keeps_our_id() -> None:
    """F11: contracts are never taken for coins.
    F22: a client order id keeps the venue's rule and comes back unchanged.
    """
    order = gate_rows.order(ORDER, RULES, hedge=False)
    assert (order.quantity, order.side, order.price) == (Decimal("0.6024"), Side.BUY, Decimal(3765))
    assert (order.client_order_id, order.order_id, order.status) == ("my1", "15675394", OrderStatus.OPEN)
    assert order.event_time_ms == 1546569970500


@pytest.mark.parametrize("text", ["web", "api", "app", "-", "", "ao-123"])
def test_an_order_placed_elsewhere_has_no_id_of_ours(text: str) -> None:
    assert gate_rows.order(ORDER | {"text": text}, RULES, hedge=False).client_order_id == ""


@pytest.mark.parametrize(
    ("told", "status", "filled"),
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
def test_how_an_order_finished_is_its_status(told: dict[str, Any], status: OrderStatus, filled: str) -> None:
    order = gate_rows.order(ORDER | told, RULES, hedge=False)
    assert (order.status, order.filled_quantity) == (status, Decimal(filled))


def test_a_negative_size_without_a_price_is_a_market_sell() -> None:
    order = gate_rows.order(ORDER | {"size": -10, "left": -10, "price": "0", "tif": "ioc"}, RULES, hedge=False)
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
def test_in_dual_mode_sign_and_flag_tell_the_position(size: int, reduces: bool, side: PositionSide) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero.
    F20: hedge mode and one-way mode are never mixed up.
    """
    row = ORDER | {"size": size, "left": size, "is_reduce_only": reduces}
    assert gate_rows.order(row, RULES, hedge=True).position_side is side


def test_a_position_keeps_its_sign_and_tells_its_leverage(frames: Frames) -> None:
    """F11: contracts are never taken for coins.
    F12: the sign and the side of a position are kept, and flat is an explicit zero.
    """
    (position,) = read(frames, "futures.positions", POSITION)
    assert isinstance(position, Position)
    assert (position.quantity, position.leverage, position.margin_mode) == (
        Decimal("-0.0003"), Decimal(10), MarginMode.CROSS,
    )  # fmt: skip
    assert position.event_time_ms == 1628736848321
    isolated = gate_rows.position(POSITION | {"leverage": "7"}, RULES)
    assert (isolated.leverage, isolated.margin_mode) == (Decimal(7), MarginMode.ISOLATED)


def test_a_position_of_the_other_mode_is_not_ours(frames: Frames) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    assert read(frames, "futures.positions", POSITION | {"mode": "dual_long"}) == []


def test_a_trade_that_opens_is_told_at_once(frames: Frames) -> None:
    (fill,) = read(frames, "futures.usertrades", TRADE)
    assert isinstance(fill, Fill)
    assert (fill.quantity, fill.fee, fill.is_maker) == (Decimal("0.0001"), Decimal("0.0009290592"), True)
    assert (fill.trade_id, fill.order_id, fill.client_order_id) == ("3335259", "4872460", "my1")


def test_what_a_trade_that_closes_earned_is_asked_for(frames: Frames) -> None:
    """F36: the stream does not tell it, so that the fill would count without its profit."""
    read(frames, "futures.usertrades", TRADE)
    (waiting,) = read(frames, "futures.usertrades", TRADE | {"id": "3335260", "size": "-1"})
    assert waiting == FillsPending("BTCUSDT")


def test_a_repeated_trade_does_not_move_what_is_held(frames: Frames) -> None:
    """F8: a fill counts once, however often it is reported."""
    for _ in range(3):
        read(frames, "futures.usertrades", TRADE)
    read(frames, "futures.usertrades", TRADE | {"id": "3335260", "size": "-1"})
    (opens,) = read(frames, "futures.usertrades", TRADE | {"id": "3335261", "size": "-1"})
    assert isinstance(opens, Fill)


def test_a_position_older_than_the_last_trade_says_nothing(frames: Frames) -> None:
    """F5: no order is sized on a position older than the last fill."""
    read(frames, "futures.usertrades", TRADE)
    read(frames, "futures.positions", POSITION | {"size": "0", "time_ms": 1628736848320})
    assert read(frames, "futures.usertrades", TRADE | {"id": "2", "size": "-1"}) == [FillsPending("BTCUSDT")]


def test_orders_balances_and_prices_are_read(frames: Frames) -> None:
    row = ORDER | {"create_time_ms": 1628736847325, "finish_time_ms": 1628736848321, "price": 40000.4}
    (told,) = read(frames, "futures.orders", row)
    assert isinstance(told, OrderUpdate)
    assert (told.order.price, told.order.event_time_ms) == (Decimal("40000.4"), 1628736848321)
    balance = {"balance": 9.998739899488, "change": -2.074115e-06, "text": "BTC_USDT:3914424", "time": 1547199246,
               "time_ms": 1547199246123, "type": "fee", "user": "211xxx"}  # fmt: skip
    (change,) = read(frames, "futures.balances", balance, balance | {"currency": "btc"})
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
    (price,) = frames.read(update("futures.book_ticker", ticker)) or ()
    assert isinstance(price, Price)
    assert (price.bid, price.bid_quantity, price.ask_quantity) == (
        Decimal("54696.6"),
        Decimal("3.7"),
        Decimal("4.7061"),
    )


def test_a_candle_counts_coins_and_is_open_until_said_otherwise(frames: Frames) -> None:
    row = {"t": 1545129300, "v": "27525555", "c": "95.4", "h": "96.9", "l": "89.5", "o": "94.3", "n": "1m_BTC_USDT"}
    (candle,) = read(frames, "futures.candlesticks", row)
    assert isinstance(candle, Candle)
    assert (candle.volume, candle.open_time_ms, candle.closed) == (Decimal("2752.5555"), 1545129300000, False)
    assert read(frames, "futures.candlesticks", row | {"n": "1m_OTHER_USDT"}) == []


def test_the_account_is_ready_when_all_its_channels_are(frames: Frames) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    channels = ["futures.orders", "futures.usertrades", "futures.positions", "futures.balances"]
    told = [frames.read({"channel": channel, "event": "subscribe", "error": None}) for channel in channels]
    assert [list(events or ()) for events in told] == [[], [], [], [StreamReady()]]
    frames.begin()
    assert frames.read({"channel": channels[0], "event": "subscribe", "error": None}) == ()


def test_a_refused_subscription_is_left_to_ccxt(frames: Frames) -> None:
    assert frames.read({"channel": "futures.orders", "event": "subscribe", "error": {"code": 4}}) is None


def test_a_channel_of_tomorrow_is_counted_and_ignored() -> None:
    """F25: one unknown field or value never stops a stream."""
    kinds: list[str] = []
    assert Frames(kinds.append).read(update("futures.something", {"new": 1})) == ()
    assert kinds == ["futures.something"]


@pytest.mark.parametrize("order_id", ["../accounts", "1/2", "", "abc", "-1", "1?x=2"])
def test_what_can_not_be_an_order_id_never_becomes_a_path(order_id: str) -> None:
    ref = (
        OrderRef(symbol="BTCUSDT", order_id=order_id)
        if order_id
        else OrderRef(symbol="BTCUSDT", client_order_id="a/..")
    )
    with pytest.raises(OrderNotFound):
        gate_rows.named(ref)


def test_our_id_is_prefixed_and_the_venues_is_not() -> None:
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    assert gate_rows.named(OrderRef(symbol="B", client_order_id="x1", order_id="5")) == {"order_id": "t-x1"}
    assert gate_rows.named(OrderRef(symbol="B", order_id="5")) == {"order_id": "5"}


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("ORDER_NOT_FOUND", errors.OrderNotFound),
        ("ORDER_FINISHED", errors.OrderNotFound),
        ("REPEATED_CREATION", errors.DuplicateOrder),
        ("INSUFFICIENT_AVAILABLE", errors.InsufficientMargin),
        ("ORDER_POC_IMMEDIATE", errors.PostOnlyWouldCross),
        ("REDUCE_EXCEEDED", errors.ReduceOnlyRefused),
        ("POSITION_EMPTY", errors.ReduceOnlyRefused),
        ("INVALID_SIGNATURE", errors.CredentialsRefused),
        ("INVALID_KEY", errors.CredentialsRefused),
        ("REQUEST_EXPIRED", errors.ClockSkew),
        ("TOO_MANY_REQUESTS", errors.RateLimited),
        ("TOO_BUSY", errors.Maintenance),
        ("SERVER_ERROR", errors.OutcomeUnknown),
        ("POSITION_DUAL_MODE", errors.PositionModeMismatch),
        ("FORBIDDEN", errors.PermissionDenied),
        ("CONTRACT_NOT_FOUND", errors.UnknownSymbol),
    ],
)
def test_a_label_says_what_to_do(label: str, expected: type[ExchangeError]) -> None:
    reply = VenueReply(error=ccxt.ExchangeError, http_status=400, code=label, message="words")
    assert type(translate(reply, gate_codes.CODES, changes=True)) is expected


def test_an_order_that_misses_a_rule_is_rejected_rather_than_malformed() -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    malformed = errors.InvalidRequest("words", venue_code="INVALID_PARAM_VALUE", symbol="BTCUSDT")
    rejected = gate_codes.of_order(malformed)
    assert (type(rejected), rejected.venue_code) == (OrderRejected, "INVALID_PARAM_VALUE")
    other = errors.InvalidRequest("words", venue_code="INVALID_PROTOCOL")
    assert gate_codes.of_order(other) is other


def rights(**read_only: bool) -> dict[str, Any]:
    return {"perms": [{"name": name, "read_only": only} for name, only in read_only.items()]}


def test_a_key_that_may_not_trade_is_refused() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    for keys in (rights(futures=True), rights(spot=False)):
        with pytest.raises(PermissionDenied, match="may not trade futures"):
            gate_rows.key_warnings(keys, {})


def test_a_key_that_may_move_money_is_warned_of() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    assert gate_rows.key_warnings(rights(futures=False, wallet=True), {"key": {"mode": 1}}) == []
    (money,) = gate_rows.key_warnings(rights(futures=False, wallet=False), {"key": {"mode": 1}})
    assert "move money" in money
    (unified,) = gate_rows.key_warnings(rights(futures=False), {"key": {"mode": 2}})
    assert "unified" in unified
