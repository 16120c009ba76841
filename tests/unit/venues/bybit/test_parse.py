"""Bybit's frames and rows, as its documents show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Position, PositionMode
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.bybit.adapter import BybitAdapter
from opensqt.venues.bybit.parse import INTERVALS, parse_account, parse_order, parse_position
from opensqt.venues.events import BalanceChange, FundingAnnounced, StreamReady

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderId": "5cf98598-39a7-459e-97bf-76ca765ee020", "side": "Sell", "orderType": "Limit",
    "cancelType": "UNKNOWN", "price": "72.5", "qty": "1", "orderIv": "", "timeInForce": "PostOnly",
    "orderStatus": "PartiallyFilled", "orderLinkId": "mine1", "lastPriceOnCreated": "", "reduceOnly": True,
    "leavesQty": "0.6", "leavesValue": "", "cumExecQty": "0.4", "cumExecValue": "30", "avgPrice": "75",
    "blockTradeId": "", "positionIdx": 0, "cumExecFee": "0.358635", "createdTime": "1672364262444",
    "updatedTime": "1672364262457", "rejectReason": "EC_NoError", "stopOrderType": "", "tpslMode": "",
    "triggerPrice": "", "category": "linear", "feeCurrency": "",
}  # fmt: skip
EXECUTION: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "closedSize": "0.5", "execFee": "0.0050505",
    "execId": "7e2ae69c-4edf-5800-a352-893d52b446aa", "execPrice": "0.3374", "execQty": "25", "execType": "Trade",
    "execValue": "8.435", "feeRate": "0.0006", "tradeIv": "", "markIv": "", "blockTradeId": "", "markPrice": "0.3391",
    "indexPrice": "", "underlyingPrice": "", "leavesQty": "0", "orderId": "f6e324ff-99c2-4e89-9739-3086e47f9381",
    "orderLinkId": "mine2", "orderPrice": "0.3207", "orderQty": "25", "orderType": "Market",
    "stopOrderType": "UNKNOWN", "side": "Sell", "execTime": "1672364174443", "isLeverage": "0", "isMaker": False,
    "seq": 4688002127, "execPnl": "1.5", "feeCurrency": "",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "positionIdx": 0, "tradeMode": 0, "riskId": 41, "riskLimitValue": "200000", "symbol": "BTCUSDT", "side": "Sell",
    "size": "0.2", "entryPrice": "19963.5", "leverage": "10", "positionValue": "3992.7", "markPrice": "20000",
    "positionIM": "400", "positionMM": "20", "liqPrice": "0", "unrealisedPnl": "-7.3", "updatedTime": "1672121182216",
    "category": "linear",
}  # fmt: skip


def frame(topic: str, *rows: Any, **more: Any) -> dict[str, Any]:
    return {"id": "1", "topic": topic, "creationTime": 1672364262474, "data": list(rows), **more}


@pytest.fixture
def venue() -> BybitAdapter:
    made = BybitAdapter(VenueSettings(name="bybit"), None, None)
    made.rules_by_id = {"BTCUSDT": None}  # type: ignore[dict-item]
    return made


def parsed(venue: BybitAdapter, message: dict[str, Any]) -> list[Any]:
    events = venue.parse(message)
    assert events is not None
    return list(events)


def test_an_order_is_read_whole(venue: BybitAdapter) -> None:
    (update,) = parsed(venue, frame("order.linear", ORDER))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order.client_order_id, order.order_id) == ("mine1", "5cf98598-39a7-459e-97bf-76ca765ee020")
    assert (order.status, order.side, order.time_in_force) == (
        OrderStatus.PARTIALLY_FILLED,
        Side.SELL,
        TimeInForce.POST_ONLY,
    )
    assert (order.quantity, order.filled_quantity, order.price) == (1, Decimal("0.4"), Decimal("72.5"))
    assert (order.average_price, order.reduce_only, order.event_time_ms) == (75, True, 1672364262457)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"orderStatus": "Cancelled", "cancelType": "CancelByUser", "rejectReason": "EC_PerCancelRequest"}, "CANCELED"),
        ({"orderStatus": "Cancelled", "rejectReason": "EC_PostOnlyWillTakeLiquidity"}, "EXPIRED"),
        ({"orderStatus": "Cancelled", "rejectReason": "EC_NoImmediateQtyToFill"}, "EXPIRED"),
        ({"orderStatus": "Cancelled", "cancelType": "CancelByReduceOnly"}, "EXPIRED"),
        ({"orderStatus": "Rejected", "rejectReason": "EC_PostOnlyWillTakeLiquidity"}, "REJECTED"),
        ({"orderStatus": "Filled"}, "FILLED"),
        ({"orderStatus": "Untriggered"}, "OPEN"),
    ],
)
def test_the_reason_of_an_end_shows_whether_its_owner_caused_it(change: dict[str, str], status: str) -> None:
    order = parse_order(ORDER | change)
    assert order.status == status
    assert bool(order.reason) is (status in ("EXPIRED", "REJECTED"))


def test_a_market_order_has_no_price_though_the_venue_shows_its_bound() -> None:
    order = parse_order(ORDER | {"orderType": "Market", "timeInForce": "IOC"})
    assert (order.order_type, order.price) == (OrderType.MARKET, None)


def test_an_execution_is_read_whole(venue: BybitAdapter) -> None:
    (fill,) = parsed(venue, frame("execution.linear", EXECUTION))
    assert isinstance(fill, Fill)
    assert (fill.trade_id, fill.client_order_id) == ("7e2ae69c-4edf-5800-a352-893d52b446aa", "mine2")
    assert (fill.price, fill.quantity, fill.fee) == (Decimal("0.3374"), 25, Decimal("0.0050505"))
    assert (fill.fee_asset, fill.is_maker, fill.realized_pnl) == ("USDT", False, Decimal("1.5"))
    assert (fill.position_side, fill.event_time_ms) == (PositionSide.BOTH, 1672364174443)


def test_a_funding_execution_announces_a_payment(venue: BybitAdapter) -> None:
    """F8: it is no fill; the transaction log has the payment."""
    assert parsed(venue, frame("execution.linear", EXECUTION | {"execType": "Funding"})) == [FundingAnnounced()]


@pytest.mark.parametrize("kind", ["SessionSettlePnL", "Dividend", "somethingNew"])
def test_an_execution_that_changes_no_position_is_no_fill(venue: BybitAdapter, kind: str) -> None:
    """F8: a fill counts once, however often it is reported."""
    assert parsed(venue, frame("execution.linear", EXECUTION | {"execType": kind})) == []


@pytest.mark.parametrize(
    ("side", "closed", "moved"),
    [
        ("Buy", "0", PositionSide.LONG),
        ("Sell", "0.5", PositionSide.LONG),
        ("Sell", "0", PositionSide.SHORT),
        ("Buy", "0.5", PositionSide.SHORT),
    ],
)
def test_in_hedge_mode_the_closed_size_of_a_fill_shows_its_position(
    venue: BybitAdapter, side: str, closed: str, moved: PositionSide
) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero.
    F20: hedge mode and one-way mode are never mixed up.
    """
    venue.position_mode = PositionMode.HEDGE
    (fill,) = parsed(venue, frame("execution.linear", EXECUTION | {"side": side, "closedSize": closed}))
    assert fill.position_side is moved


def test_a_position_gets_its_sign_from_its_side(venue: BybitAdapter) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    (short,) = parsed(venue, frame("position.linear", POSITION))
    assert isinstance(short, Position)
    assert (short.quantity, short.entry_price, short.leverage) == (Decimal("-0.2"), Decimal("19963.5"), 10)
    assert short.liquidation_price is None
    (flat,) = parsed(venue, frame("position.linear", POSITION | {"side": "", "size": "0", "entryPrice": "0"}))
    assert (flat.quantity, flat.is_flat) == (0, True)


@pytest.mark.parametrize(("index", "side"), [(1, PositionSide.LONG), (2, PositionSide.SHORT)])
def test_a_position_of_hedge_mode_has_its_side_by_its_index(index: int, side: PositionSide) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    row = POSITION | {"positionIdx": index, "avgPrice": "1"}
    assert parse_position(row).position_side is side


def test_of_a_wallet_only_the_margin_asset_is_the_balance(venue: BybitAdapter) -> None:
    coins = [{"coin": "BTC", "walletBalance": "1"}, {"coin": "USDT", "walletBalance": "9998.5"}]
    (change,) = parsed(venue, frame("wallet", {"accountType": "UNIFIED", "coin": coins}))
    assert isinstance(change, BalanceChange)
    assert (change.wallet_balance, change.event_time_ms) == (Decimal("9998.5"), 1672364262474)


def test_without_a_total_the_available_balance_is_the_wallet_less_what_is_bound() -> None:
    coin = {"coin": "USDT", "walletBalance": "100", "totalPositionIM": "30", "totalOrderIM": "10", "locked": "5"}
    assert parse_account({"totalAvailableBalance": "", "coin": [coin]}).available_balance == 55
    assert parse_account({"totalAvailableBalance": "77", "coin": [coin]}).available_balance == 77


def test_a_candle_is_closed_when_the_venue_confirms_it(venue: BybitAdapter) -> None:
    row = {
        "start": 1672324800000, "end": 1672325099999, "interval": "5", "open": "16649.5", "close": "16677",
        "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "confirm": True,
        "timestamp": 1672324988882,
    }  # fmt: skip
    (candle,) = parsed(venue, {"topic": "kline.5.BTCUSDT", "data": [row], "ts": 1672324988882, "type": "snapshot"})
    assert isinstance(candle, Candle)
    assert (candle.symbol, candle.interval, candle.closed) == ("BTCUSDT", "5m", True)
    assert (candle.low, candle.quote_volume) == (16608, Decimal("34666.4005"))


def test_every_interval_has_a_name_at_the_venue() -> None:
    assert set(INTERVALS) == set(INTERVALS_MS)
    assert (INTERVALS["1h"], INTERVALS["1d"]) == ("60", "D")


def book(kind: str, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": 1, "seq": 1}
    return {"topic": "orderbook.1.BTCUSDT", "type": kind, "ts": 1672304484978, "data": data, "cts": 1672304484976}


def test_a_snapshot_is_a_price_and_a_difference_changes_one_side_of_it(venue: BybitAdapter) -> None:
    (price,) = parsed(venue, book("snapshot", [["100", "2"]], [["101", "3"]]))
    assert isinstance(price, Price)
    assert (price.bid, price.ask, price.event_time_ms) == (100, 101, 1672304484976)
    (moved,) = parsed(venue, book("delta", [["100", "0"], ["99", "5"]], []))
    assert (moved.bid, moved.bid_quantity, moved.ask, moved.ask_quantity) == (99, 5, 101, 3)


def test_an_empty_side_is_no_price(venue: BybitAdapter) -> None:
    parsed(venue, book("snapshot", [["100", "2"]], [["101", "3"]]))
    assert parsed(venue, book("delta", [["100", "0"]], [])) == []
    (price,) = parsed(venue, book("delta", [["98", "1"]], []))
    assert price.bid == 98


def test_a_crossed_side_is_stale_until_it_is_known_again(venue: BybitAdapter) -> None:
    """F14: the difference that moved the ask was lost."""
    parsed(venue, book("snapshot", [["100", "2"]], [["101", "3"]]))
    assert parsed(venue, book("delta", [["100", "0"], ["102", "1"]], [])) == []
    (price,) = parsed(venue, book("delta", [], [["103", "4"]]))
    assert (price.bid, price.ask) == (102, 103)


def test_a_row_that_cannot_be_read_hides_no_other_and_is_reported(venue: BybitAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    bad = ORDER | {"orderId": "unreadable", "qty": "garbled"}
    (update,) = parsed(venue, frame("order.linear", bad, ORDER))
    assert update.order.order_id == ORDER["orderId"]
    assert [row.row_id for row in venue.set_aside.rows("order")] == ["unreadable"]


def test_symbols_without_rules_and_unknown_topics_are_ignored(venue: BybitAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    assert parsed(venue, frame("order.linear", ORDER | {"symbol": "BTC-30DEC"})) == []
    assert parsed(venue, frame("greeks", {})) == []
    assert venue.unknown_events["greeks"] == 1


def test_the_private_stream_is_ready_when_its_subscription_is_confirmed(venue: BybitAdapter) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    done = {"success": True, "ret_msg": "", "conn_id": "1", "req_id": "private", "op": "subscribe"}
    assert parsed(venue, done) == [StreamReady()]
    for other in (done | {"success": False}, done | {"req_id": "3"}, {"op": "auth", "success": True}, {"op": "pong"}):
        assert venue.parse(other) is None
