"""Bitget's frames and rows, as its documents show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Position
from opensqt.model.market import Candle, Price
from opensqt.model.order import OrderStatus, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.parse import parse_fill
from opensqt.venues.events import BalanceChange, StreamReady

ORDER: dict[str, Any] = {
    "accBaseVolume": "0.01", "cTime": "1695718781129", "clientOid": "mine1", "feeDetail": [{"feeCoin": "USDT",
    "fee": "-0.162003"}],
    "fillFee": "-0.162003", "fillFeeCoin": "USDT", "fillNotionalUsd": "270.005", "fillPrice": "27000.5",
    "baseVolume": "0.01",
    "fillTime": "1695718781146", "force": "post_only", "instId": "BTCUSDT", "leverage": "20", "marginCoin": "USDT",
    "marginMode": "crossed", "notionalUsd": "270", "orderId": "1111111111", "orderType": "limit", "pnl": "1.25",
    "posMode": "one_way_mode", "posSide": "net", "price": "27000.5", "priceAvg": "27000.5", "reduceOnly": "yes",
    "stpMode": "none",
    "side": "sell", "size": "0.03", "enterPointSource": "API", "status": "partially_filled", "tradeScope": "M",
    "tradeId": "1111111112", "tradeSide": "sell_single", "uTime": "1695718781146", "cancelReason": "",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "posId": "1", "instId": "ETHUSDT", "marginCoin": "USDT", "marginSize": "9.5", "marginMode": "crossed",
    "holdSide": "short",
    "posMode": "hedge_mode", "total": "0.1", "available": "0.1", "frozen": "0", "openPriceAvg": "1900", "leverage": 20,
    "achievedProfits": "0", "unrealizedPL": "0", "unrealizedPLR": "0", "liquidationPrice": "5788.108475905242",
    "keepMarginRate": "0.005", "marginRate": "0.004416374196", "cTime": "1695649246169", "breakEvenPrice": "24778.97",
    "totalFee": "1.45", "deductedFee": "0.388", "markPrice": "2500", "uTime": "1695711602568", "assetMode": "union",
    "autoMargin": "off",
}  # fmt: skip
TRADE: dict[str, Any] = {
    "tradeId": "123", "symbol": "BTCUSDT", "orderId": "121212", "price": "1900", "baseVolume": "1",
    "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": None, "totalFee": "-0.02236284"}],
    "side": "buy", "quoteVolume": "1902", "profit": "102", "enterPointSource": "api", "tradeSide": "close",
    "posMode": "hedge_mode", "tradeScope": "taker", "cTime": "1627293509612",
}  # fmt: skip


@pytest.fixture
def venue() -> BitgetAdapter:
    settings = VenueSettings(name="bitget")
    made = BitgetAdapter(settings, BitgetAdapter.make_client(settings), None)
    made.symbols = {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"}
    made.rules_by_id = {"BTCUSDT": None, "ETHUSDT": None}  # type: ignore[dict-item]
    return made


def frame(channel: str, *rows: Any, ts: int = 1695717430441, **arg: str) -> dict[str, Any]:
    where = {"instType": "USDT-FUTURES", "channel": channel, "instId": "default"} | arg
    return {"action": "snapshot", "arg": where, "data": list(rows), "ts": ts}


def parsed(venue: BitgetAdapter, message: dict[str, Any]) -> list[Any]:
    events = venue.parse(message)
    assert events is not None
    return list(events)


def test_a_fill_is_an_order_update_with_a_fill(venue: BitgetAdapter) -> None:
    (update,) = parsed(venue, frame("orders", ORDER))
    assert isinstance(update, OrderUpdate)
    order, fill = update.order, update.fill
    assert fill is not None
    assert (order.status, order.filled_quantity, order.order_id) == (
        OrderStatus.PARTIALLY_FILLED, Decimal("0.01"), "1111111111",
    )  # fmt: skip
    assert (order.time_in_force, order.reduce_only, order.side) == (TimeInForce.POST_ONLY, True, Side.SELL)
    assert (fill.trade_id, fill.fee, fill.fee_asset, fill.is_maker) == ("1111111112", Decimal("0.162003"), "USDT", True)
    assert (fill.realized_pnl, fill.client_order_id, fill.quantity) == (Decimal("1.25"), "mine1", Decimal("0.01"))


def test_a_canceled_order_has_no_fill_and_says_why(venue: BitgetAdapter) -> None:
    more = {"status": "canceled", "accBaseVolume": "0", "cancelReason": "normal_cancel"}
    row = {name: value for name, value in ORDER.items() if name not in ("tradeId", "baseVolume", "priceAvg")} | more
    (update,) = parsed(venue, frame("orders", row))
    assert (update.fill, update.order.status, update.order.average_price) == (None, OrderStatus.CANCELED, None)
    assert update.order.reason == "normal_cancel"


@pytest.mark.parametrize(
    ("position_side", "trade_side", "side"),
    [
        ("long", "open", Side.BUY),
        ("long", "close", Side.SELL),
        ("short", "open", Side.SELL),
        ("short", "close", Side.BUY),
        ("long", "burst_close_long", Side.SELL),
    ],
)
@pytest.mark.parametrize("said", ["buy", "sell"])
def test_in_hedge_mode_the_side_follows_from_position_and_trade_side(
    venue: BitgetAdapter, position_side: str, trade_side: str, side: Side, said: str
) -> None:
    """F12, F20: whatever the row's own side, which the venue's channels do not agree about."""
    row = ORDER | {"posMode": "hedge_mode", "posSide": position_side, "tradeSide": trade_side, "side": said}
    (update,) = parsed(venue, frame("orders", row))
    assert (update.order.side, update.order.position_side) == (side, PositionSide(position_side.upper()))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, (PositionSide.LONG, Side.SELL)),
        (PositionSide.LONG, (PositionSide.LONG, Side.SELL)),
        (PositionSide.SHORT, (PositionSide.SHORT, Side.BUY)),
    ],
)
def test_a_trade_of_a_query_takes_its_position_from_its_order(
    known: PositionSide | None, expected: tuple[PositionSide, Side]
) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    fill = parse_fill(TRADE, "BTCUSDT", known)
    assert (fill.position_side, fill.side) == expected
    assert (fill.fee, fill.realized_pnl, fill.is_maker) == (Decimal("0.02236284"), Decimal(102), False)


def test_positions_keep_their_sign_and_a_missing_one_is_flat(venue: BitgetAdapter) -> None:
    """F12: the channel sends all open positions, and leaves a closed one out."""
    one_way = POSITION | {"instId": "BTCUSDT", "posMode": "one_way_mode", "holdSide": "long"}
    positions = parsed(venue, frame("positions", POSITION, one_way, ts=1))
    assert {(one.symbol, one.position_side, one.quantity) for one in positions} == {
        ("ETHUSDT", PositionSide.SHORT, Decimal("-0.1")),
        ("BTCUSDT", PositionSide.BOTH, Decimal("0.1")),
    }
    gone = [one for one in parsed(venue, frame("positions", POSITION, ts=2)) if one.symbol == "BTCUSDT"]
    assert [(one.quantity, one.event_time_ms) for one in gone] == [(0, 2)]


def test_a_late_frame_of_positions_closes_nothing(venue: BitgetAdapter) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    parsed(venue, frame("positions", POSITION, ts=5))
    assert parsed(venue, frame("positions", ts=4)) == []
    (gone,) = parsed(venue, frame("positions", ts=6))
    assert isinstance(gone, Position)
    assert gone.is_flat


def test_a_position_that_cannot_be_read_does_not_pass_for_one_that_is_gone(venue: BitgetAdapter) -> None:
    """F12, F25: only the position that can't be read keeps its last state."""
    other = POSITION | {"instId": "BTCUSDT"}
    parsed(venue, frame("positions", POSITION, other, ts=1))
    (gone,) = parsed(venue, frame("positions", POSITION | {"total": "garbled"}, ts=2))
    assert (gone.symbol, gone.is_flat) == ("BTCUSDT", True)
    assert [str(row) for row in venue.set_aside.rows("position")]
    (known,) = parsed(venue, frame("positions", POSITION, ts=3))
    assert not known.is_flat
    assert not venue.set_aside
    assert [one.is_flat for one in parsed(venue, frame("positions", ts=4))] == [True]


def test_a_bad_order_hides_no_other(venue: BitgetAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    bad = ORDER | {"orderId": "1111111113", "tradeId": "1111111114", "size": "garbled"}
    fill, update = parsed(venue, frame("orders", bad, ORDER))
    assert (fill.trade_id, update.order.order_id) == ("1111111114", "1111111111")
    assert [row.row_id for row in venue.set_aside.rows("order")] == ["1111111113"]


def test_the_wallet_is_the_equity_without_open_profit(venue: BitgetAdapter) -> None:
    row = {"marginCoin": "USDT", "equity": "11.98545761", "unrealizedPL": "-0.014542390000", "available": "11.98"}
    (change,) = parsed(venue, frame("account", row, coin="default"))
    assert isinstance(change, BalanceChange)
    assert (change.wallet_balance, change.event_time_ms) == (Decimal("12"), 1695717430441)


def test_the_best_level_of_the_book_is_a_price(venue: BitgetAdapter) -> None:
    book = {
        "asks": [["27000.5", "8.760"]],
        "bids": [["27000.0", "2.710"]],
        "checksum": 0,
        "seq": 123,
        "ts": "1695716059516",
    }
    (price,) = parsed(venue, frame("books1", book, instId="BTCUSDT"))
    assert isinstance(price, Price)
    assert (price.bid, price.ask_quantity, price.event_time_ms) == (Decimal(27000), Decimal("8.760"), 1695716059516)


def test_of_a_frame_of_candles_the_newest_is_published_as_open(venue: BitgetAdapter) -> None:
    rows = [[str(open_ms), "1", "3", "0.5", "2", "10", "20", "20"] for open_ms in (1695685500000, 1695685560000)]
    (candle,) = parsed(venue, frame("candle1m", *rows, instId="BTCUSDT"))
    assert isinstance(candle, Candle)
    assert (candle.open_time_ms, candle.closed, candle.high, candle.volume) == (1695685560000, False, 3, 10)


def test_the_stream_is_ready_when_all_three_channels_are_acknowledged(venue: BitgetAdapter) -> None:
    """F6: updates before that are queried."""
    acknowledged = [
        venue.parse(
            {"event": "subscribe", "arg": {"instType": "USDT-FUTURES", "channel": channel, "instId": "default"}}
        )
        for channel in ("orders", "positions", "account")
    ]
    assert acknowledged == [(), (), (StreamReady(),)]


@pytest.mark.parametrize(
    "response", [{"event": "login", "code": 0}, {"event": "error", "code": 30015, "msg": "Invalid sign"}]
)
def test_a_response_to_a_request_is_left_to_ccxt(venue: BitgetAdapter, response: dict[str, Any]) -> None:
    assert venue.parse(response) is None


def test_a_future_channel_is_counted_and_ignored(venue: BitgetAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    assert parsed(venue, frame("somethingNew", {"a": 1})) == []
    assert venue.unknown_events["somethingNew"] == 1
