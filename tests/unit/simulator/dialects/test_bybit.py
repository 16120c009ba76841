"""The parts of the simulated Bybit that are functions of what they are given."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.bybit import errors, formats, parameters, subscriptions
from opensqt.simulator.dialects.bybit.account import page
from opensqt.simulator.dialects.bybit.fill_details import FillDetail, FillDetails
from opensqt.simulator.engine.events import Execution, OrderChanged
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, SimFill, SimOrder
from opensqt.simulator.settings import SimulatorSettings

RULES = SimulatorSettings().symbols[0]
ORDER = SimOrder(
    account="sim-key",
    order_id="1000001",
    client_order_id="mine",
    symbol="BTCUSDT",
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    reduce_only=False,
    price=Decimal(45000),
    quantity=Decimal("0.010"),
    status=OrderStatus.OPEN,
)


def filled(number: int, side: Side, quantity: str, left: str = "0") -> OrderChanged:
    order = replace(ORDER, side=side, quantity=Decimal(quantity) + Decimal(left), filled_quantity=Decimal(quantity))
    fill = SimFill(
        account="sim-key",
        trade_id=str(number),
        order_id=ORDER.order_id,
        client_order_id="mine",
        symbol="BTCUSDT",
        side=side,
        position_side=PositionSide.BOTH,
        price=Decimal(45000),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        realized_pnl=Decimal(0),
        time_ms=number,
    )
    return OrderChanged(account="sim-key", order=order, execution=Execution.TRADE, fill=fill, time_ms=number)


def test_each_fill_is_noted_with_what_it_closed_and_what_it_left() -> None:
    """F12: opens, adds, closes a part, flips."""
    notes = FillDetails()
    for number, (side, quantity) in enumerate(
        [(Side.BUY, "2"), (Side.BUY, "1"), (Side.SELL, "1"), (Side.SELL, "5"), (Side.BUY, "3")]
    ):
        notes.record(filled(number, side, quantity, left="0.5"))
    expected = [notes.of("sim-key", "BTCUSDT", ORDER.order_id, str(number)) for number in range(5)]
    assert [note.closed for note in expected] == [0, 0, 1, 2, 3]
    assert {note.left for note in expected} == {Decimal("0.5")}
    assert notes.of("sim-key", "BTCUSDT", ORDER.order_id, "99") == FillDetail()


@pytest.mark.parametrize(
    ("text", "kind", "channel"),
    [
        ("orderbook.1.BTCUSDT", "orderbook", "price"),
        ("orderbook.50.BTCUSDT", "orderbook", "depth"),
        ("kline.60.BTCUSDT", "kline", "kline"),
        ("publicTrade.BTCUSDT", "publicTrade", "trades"),
        ("tickers.BTCUSDT", "tickers", "ticker"),
    ],
)
def test_a_public_topic_is_read(text: str, kind: str, channel: str) -> None:
    topic = subscriptions.parse(text)
    assert topic is not None
    assert (topic.kind, topic.symbol, topic.channel) == (kind, "BTCUSDT", channel)


@pytest.mark.parametrize("text", ["", "orderbook.BTCUSDT", "orderbook.x.BTCUSDT", "kline.7.BTCUSDT", "order", "a.b.c"])
def test_what_is_no_public_topic_is_none(text: str) -> None:
    assert subscriptions.parse(text) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [("order", "order"), ("execution.linear", "execution"), ("wallet", "wallet"), ("wallet.linear", None), ("x", None)],
)
def test_a_private_topic_may_name_its_category(text: str, kind: str | None) -> None:
    assert subscriptions.private_kind(text) == kind


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("New", "EC_NoError", "UNKNOWN")),
        ({"status": OrderStatus.CANCELED}, ("Cancelled", "EC_PerCancelRequest", "CancelByUser")),
        (
            {"status": OrderStatus.EXPIRED, "closing_reason": ClosingReason.POST_ONLY},
            ("Cancelled", "EC_PostOnlyWillTakeLiquidity", "UNKNOWN"),
        ),
        (
            {"status": OrderStatus.EXPIRED, "closing_reason": ClosingReason.REDUCE_ONLY},
            ("Cancelled", "EC_NoError", "CancelByReduceOnly"),
        ),
    ],
)
def test_an_order_says_how_it_ended(change: dict[str, object], expected: tuple[str, str, str]) -> None:
    row = formats.order(replace(ORDER, **change), RULES, [])
    assert (row["orderStatus"], row["rejectReason"], row["cancelType"]) == expected


def test_an_order_without_a_client_id_shows_none() -> None:
    assert formats.link_id(replace(ORDER, client_order_id="auto1000001")) == ""
    assert formats.link_id(replace(ORDER, client_order_id="auto1")) == "auto1"


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_of_the_engine_has_a_code(reason: RefusalReason) -> None:
    error = errors.of_reason(reason)
    assert (error.status, error.code.isdecimal(), bool(error.message)) == (200, True, True)


def test_pages_come_newest_first_and_their_cursor_survives_new_rows() -> None:
    rows = [{"id": number} for number in range(5)]
    first = page(rows, {"limit": "2"}, default=2, most=2)
    assert [row["id"] for row in first["list"]] == [4, 3]
    later = [*rows, {"id": 5}]
    second = page(later, {"limit": "2", "cursor": first["nextPageCursor"]}, default=2, most=2)
    assert [row["id"] for row in second["list"]] == [2, 1]
    third = page(later, {"limit": "2", "cursor": second["nextPageCursor"]}, default=2, most=2)
    assert ([row["id"] for row in third["list"]], third["nextPageCursor"]) == ([0], "")


@pytest.mark.parametrize("value", ["1e5", "-1", "abc", "", "1.2.3"])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ErrorReply, match="qty"):
        parameters.decimal({"qty": value}, "qty")


def test_a_window_longer_than_a_week_is_refused() -> None:
    day = 86_400_000
    assert parameters.window({}, longest_ms=7 * day, now_ms=10 * day) == (3 * day, 10 * day)
    assert parameters.window({"startTime": "5"}, longest_ms=day, now_ms=9) == (5, 5 + day)
    with pytest.raises(ErrorReply, match="7 days"):
        parameters.window({"startTime": "1", "endTime": str(8 * day)}, longest_ms=7 * day, now_ms=0)
