"""OKX's frames and rows, as its documents show them: contracts are base coins once they are read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Position, PositionMode
from opensqt.model.market import Candle, Price
from opensqt.model.order import OrderStatus, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.events import BalanceChange, FillsPending, StreamReady
from opensqt.venues.okx.adapter import OkxAdapter
from opensqt.venues.okx.parse import (
    contracts,
    parse_account,
    parse_order,
    parse_position,
    parse_price,
    parse_streamed_fill,
)

ORDER: dict[str, Any] = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "312269865356374016", "clOrdId": "b1", "px": "999.5",
    "sz": "3", "ordType": "post_only", "side": "sell", "posSide": "net", "tdMode": "cross", "fillSz": "1",
    "fillPx": "999.5", "tradeId": "242720720", "accFillSz": "1", "fillTime": "1597026383084", "fillPnl": "0.25",
    "fillFee": "-0.0050", "fillFeeCcy": "USDT", "execType": "M", "state": "partially_filled", "avgPx": "999.5",
    "lever": "20", "reduceOnly": "true", "cancelSource": "", "cTime": "1597026383000", "uTime": "1597026383085",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "instId": "BTC-USDT-SWAP", "posSide": "net", "pos": "-2.5", "avgPx": "3320", "markPx": "3353.8", "upl": "-338.1",
    "liqPx": "", "lever": "10", "mgnMode": "cross", "uTime": "1619507761462",
}  # fmt: skip


def rules(size: str = "0.01", lot: str = "0.1") -> SymbolRules:
    step = Decimal(lot) * Decimal(size)
    return SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        price_step=Decimal("0.1"),
        quantity_step=step,
        min_quantity=step,
        min_notional=Decimal(0),
        contract_size=Decimal(size),
    )


@pytest.fixture
def venue() -> OkxAdapter:
    made = OkxAdapter(VenueSettings(name="okx"), None, None)  # type: ignore[arg-type]
    made.rules = {"BTCUSDT": rules()}
    made.rules_by_id = {"BTC-USDT-SWAP": rules()}
    return made


def parsed(venue: OkxAdapter, channel: str, *rows: Any, inst_id: str = "BTC-USDT-SWAP") -> list[Any]:
    events = venue.parse({"arg": {"channel": channel, "instId": inst_id}, "data": list(rows)})
    assert events is not None
    return list(events)


def test_a_trade_is_an_order_and_its_fill_in_base_coins(venue: OkxAdapter) -> None:
    """F11: contracts are never taken for coins."""
    (update,) = parsed(venue, "orders", ORDER)
    assert isinstance(update, OrderUpdate)
    order, fill = update.order, update.fill
    assert fill is not None
    assert (order.quantity, order.filled_quantity, fill.quantity) == (Decimal("0.03"), Decimal("0.01"), Decimal("0.01"))
    assert (order.status, order.time_in_force, order.reduce_only, order.side) == (
        OrderStatus.PARTIALLY_FILLED, TimeInForce.POST_ONLY, True, Side.SELL,
    )  # fmt: skip
    assert (fill.trade_id, fill.fee, fill.fee_asset, fill.is_maker) == ("242720720", Decimal("0.0050"), "USDT", True)
    assert (fill.realized_pnl, fill.client_order_id, fill.event_time_ms) == (Decimal("0.25"), "b1", 1597026383084)


@pytest.mark.parametrize("fee", [None, ""])
def test_a_trade_without_its_fee_is_queried(venue: OkxAdapter, fee: str | None) -> None:
    """A fee that is not known is no fee of zero."""
    update, pending = parsed(venue, "orders", ORDER | {"fillFee": fee})
    assert (update.fill, update.order.filled_quantity, pending) == (None, Decimal("0.01"), FillsPending("BTCUSDT"))
    (update,) = parsed(venue, "orders", ORDER | {"fillFee": "0"})
    assert update.fill.fee == 0


def test_an_update_without_a_trade_has_no_fill(venue: OkxAdapter) -> None:
    row = ORDER | {"fillSz": "0", "fillPx": "", "tradeId": "", "fillTime": "", "accFillSz": "0", "avgPx": ""}
    (update,) = parsed(venue, "orders", row | {"state": "live"})
    assert (update.fill, update.order.status, update.order.average_price) == (None, OrderStatus.OPEN, None)


def test_a_post_only_order_that_the_venue_canceled_says_why(venue: OkxAdapter) -> None:
    """F18: a post-only order never takes."""
    row = ORDER | {"state": "canceled", "cancelSource": "31", "tradeId": "", "fillSz": "0", "accFillSz": "0"}
    (update,) = parsed(venue, "orders", row)
    assert (update.order.status, update.order.reason) == (OrderStatus.EXPIRED, "post-only: it would have taken")


def test_an_order_of_another_instrument_is_ignored(venue: OkxAdapter) -> None:
    assert parsed(venue, "orders", ORDER | {"instId": "BTC-USD-SWAP"}) == []


def test_a_net_position_has_its_sign(venue: OkxAdapter) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    (position,) = parsed(venue, "positions", POSITION)
    assert isinstance(position, Position)
    assert (position.quantity, position.position_side, position.leverage) == (Decimal("-0.025"), PositionSide.BOTH, 10)
    assert (position.entry_price, position.liquidation_price) == (Decimal(3320), None)


def test_a_closed_position_is_an_explicit_zero(venue: OkxAdapter) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    (position,) = parsed(venue, "positions", POSITION | {"pos": "0", "avgPx": "", "upl": "", "markPx": ""})
    assert (position.quantity, position.entry_price, position.is_flat) == (0, 0, True)


@pytest.mark.parametrize(("side", "quantity"), [("long", "0.025"), ("short", "-0.025")])
def test_in_hedge_mode_the_side_is_the_sign(venue: OkxAdapter, side: str, quantity: str) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    venue.position_mode = PositionMode.HEDGE
    (position,) = parsed(venue, "positions", POSITION | {"pos": "2.5", "posSide": side})
    assert (position.position_side, position.quantity) == (PositionSide(side.upper()), Decimal(quantity))
    assert parsed(venue, "positions", POSITION) == []


def test_the_balance_is_that_of_the_margin_asset(venue: OkxAdapter) -> None:
    details = [
        {"ccy": "BTC", "cashBal": "1", "uTime": "5"},
        {"ccy": "USDT", "cashBal": "98.5", "uTime": "1697026383085"},
    ]
    (change,) = parsed(venue, "account", {"uTime": "7", "details": details})
    assert isinstance(change, BalanceChange)
    assert (change.wallet_balance, change.event_time_ms) == (Decimal("98.5"), 1697026383085)


def test_the_best_bid_and_ask_are_read_in_base_coins(venue: OkxAdapter) -> None:
    """F11: contracts are never taken for coins."""
    row = {"asks": [["111.06", "55154", "0", "2"]], "bids": [["111.05", "57745", "0", "2"]], "ts": "1670324386802"}
    (price,) = parsed(venue, "bbo-tbt", row | {"seqId": 363996337})
    assert isinstance(price, Price)
    assert (price.bid, price.ask) == (Decimal("111.05"), Decimal("111.06"))
    assert (price.bid_quantity, price.ask_quantity) == (Decimal("577.45"), Decimal("551.54"))


def test_a_book_with_an_empty_side_is_no_price(venue: OkxAdapter) -> None:
    assert parsed(venue, "bbo-tbt", {"asks": [], "bids": [["1", "1", "0", "1"]], "ts": "1"}) == []


@pytest.mark.parametrize(("channel", "interval"), [("candle1m", "1m"), ("candle4H", "4h"), ("candle1Dutc", "1d")])
def test_a_candle_is_read_with_its_interval(venue: OkxAdapter, channel: str, interval: str) -> None:
    row = ["1597026360000", "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5858061", "5529.58", "0"]
    (candle,) = parsed(venue, channel, row)
    assert isinstance(candle, Candle)
    assert (candle.interval, candle.volume, candle.closed) == (interval, Decimal("529.5858061"), False)
    assert parsed(venue, channel, [*row[:8], "1"])[0].closed


def test_the_stream_is_ready_when_the_last_channel_is_acknowledged(venue: OkxAdapter) -> None:
    acks = [{"event": "subscribe", "arg": {"channel": channel}} for channel in ("orders", "positions", "account")]
    acks.append({"event": "subscribe", "arg": {"channel": "balance_and_position"}})
    assert [venue.parse(ack) for ack in [*acks, acks[0]]] == [(), (), (), (StreamReady(),), ()]


@pytest.mark.parametrize("event", ["login", "error"])
def test_a_response_to_a_login_is_left_to_the_client(venue: OkxAdapter, event: str) -> None:
    assert venue.parse({"event": event, "code": "60009", "msg": "Login failed."}) is None


def test_an_event_of_an_unknown_kind_is_counted_and_no_error(venue: OkxAdapter) -> None:
    """F25: one unknown field or value never stops a stream."""
    assert venue.parse({"event": "notice", "code": "64008", "msg": "The connection will soon be closed"}) == ()
    assert parsed(venue, "liquidation-warning", {"instId": "BTC-USDT-SWAP"}) == []
    assert dict(venue.unknown_events) == {"notice": 1, "liquidation-warning": 1}


def test_an_account_that_has_no_available_equity_has_an_available_balance() -> None:
    row = {"ccy": "USDT", "cashBal": "100", "upl": "", "availEq": "", "availBal": "80", "frozenBal": "20", "uTime": "1"}
    account = parse_account({"details": [row]})
    assert (account.wallet_balance, account.available_balance, account.initial_margin) == (100, 80, 20)


@given(
    size=st.sampled_from(["0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
    lot=st.sampled_from(["0.01", "0.1", "1"]),
    lots=st.integers(min_value=1, max_value=10**9),
)
def test_contracts_round_trip_through_every_row(size: str, lot: str, lots: int) -> None:
    """F11: whatever a contract is worth, an order, its fill, the position and the book say the same base coins."""
    of = rules(size, lot)
    quantity = of.quantity_step * lots
    sent = contracts(quantity, of)
    assert Decimal(sent) == Decimal(lot) * lots
    row = ORDER | {"sz": sent, "accFillSz": sent, "fillSz": sent}
    order, fill = parse_order(row, of), parse_streamed_fill(row, of)
    assert fill is not None
    assert quantity == order.quantity == order.filled_quantity == fill.quantity
    assert parse_position(POSITION | {"pos": sent}, of).quantity == quantity
    level = [["1", sent, "0", "1"]]
    price = parse_price({"bids": level, "asks": level, "ts": "1"}, of)
    assert price is not None
    assert price.bid_quantity == price.ask_quantity == quantity
