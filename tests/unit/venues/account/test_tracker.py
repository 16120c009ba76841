"""Order and fill reports that come late, twice, out of order, or not at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.order import TRANSITIONS, Fill, Order, OrderRef, OrderStatus, OrderUpdate, PositionSide, Side
from opensqt.venues.account.tracker import OrderTracker, merge

Report = tuple[Order, Fill | None]
QUANTITY = Decimal("0.003")
STEP = Decimal("0.001")


def order(status: OrderStatus, filled: int = 0, time_ms: int = 0, **more: Any) -> Order:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": QUANTITY,
        "client_order_id": "client1",
        "order_id": "7",
        "price": Decimal(45_000),
        "status": status,
        "filled_quantity": STEP * filled,
        "average_price": Decimal(45_000) if filled else None,
        "event_time_ms": time_ms,
    }
    return Order(**(fields | more))


def fill(number: int, **more: Any) -> Fill:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "trade_id": str(number),
        "order_id": "7",
        "client_order_id": "",
        "side": Side.BUY,
        "position_side": PositionSide.BOTH,
        "price": Decimal(45_000),
        "quantity": STEP,
        "fee": Decimal("0.01"),
        "fee_asset": "USDT",
        "is_maker": True,
        "event_time_ms": number,
    }
    return Fill(**(fields | more))


LIFE: list[Report] = [
    (order(OrderStatus.OPEN, 0, 0), None),
    (order(OrderStatus.PARTIALLY_FILLED, 1, 1), fill(1)),
    (order(OrderStatus.PARTIALLY_FILLED, 2, 2), fill(2)),
    (order(OrderStatus.FILLED, 3, 3), fill(3)),
]


@given(st.permutations(LIFE * 2))
def test_reports_in_any_order_and_number_lead_to_the_same_state(reports: list[Report]) -> None:
    """F8: and the filled quantity never goes back on the way."""
    tracker = OrderTracker()
    updates = [update for each in reports if (update := tracker.apply(*each))]
    quantities = [update.order.filled_quantity for update in updates]
    assert quantities == sorted(quantities)
    assert sorted(update.fill.trade_id for update in updates if update.fill) == ["1", "2", "3"]
    assert updates[-1].order.status is OrderStatus.FILLED
    assert tracker.incomplete() == []


@pytest.mark.parametrize("new", OrderStatus)
@pytest.mark.parametrize("old", OrderStatus)
def test_a_status_changes_only_as_the_table_says(old: OrderStatus, new: OrderStatus) -> None:
    merged = merge(order(old, time_ms=1), order(new, time_ms=2))
    assert merged.status is (new if new in TRANSITIONS[old] else old)


def test_an_older_report_does_not_undo_a_newer_price() -> None:
    amended = order(OrderStatus.OPEN, time_ms=5, price=Decimal(46_000))
    assert merge(amended, order(OrderStatus.OPEN, time_ms=4)).price == 46_000


def test_a_fill_after_a_cancel_counts_and_the_order_stays_canceled() -> None:
    """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.CANCELED, time_ms=9))
    update = tracker.apply(order(OrderStatus.PARTIALLY_FILLED, 1, 8), fill(1))
    assert update is not None
    assert (update.order.status, update.order.filled_quantity) == (OrderStatus.CANCELED, STEP)
    assert update.fill is not None


def test_an_order_is_incomplete_until_the_fills_of_its_filled_quantity_arrive() -> None:
    """F6: this is how one lost frame is noticed."""
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.PARTIALLY_FILLED, 2, 2), fill(2))
    assert [one.order_id for one in tracker.incomplete()] == ["7"]
    tracker.apply_fill(fill(1))
    assert tracker.incomplete() == []


def test_a_queried_fill_gets_the_client_order_id_and_counts_once() -> None:
    """F8: a fill counts once, however often it is reported."""
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.OPEN))
    update = tracker.apply_fill(fill(1))
    assert update is not None
    assert update.fill == replace(fill(1), client_order_id="client1")
    assert update.order.status is OrderStatus.PARTIALLY_FILLED
    assert tracker.apply_fill(fill(1)) is None
    assert tracker.apply(order(OrderStatus.PARTIALLY_FILLED, 1, 1), fill(1)) is None


def test_a_fill_of_an_unknown_order_raises() -> None:
    with pytest.raises(KeyError):
        OrderTracker().apply_fill(fill(1))


def test_fills_from_before_the_start_do_not_count() -> None:
    """F8: a fill counts once over a restart, too."""
    tracker = OrderTracker()
    tracker.adopt(order(OrderStatus.PARTIALLY_FILLED, 2, 5))
    assert tracker.incomplete() == []
    assert tracker.apply_fill(fill(2)) is None
    update = tracker.apply(order(OrderStatus.FILLED, 3, 6), fill(6))
    assert update is not None
    assert update.fill is not None
    assert tracker.incomplete() == []


def test_a_repeated_report_is_no_update() -> None:
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.OPEN, time_ms=1))
    assert tracker.apply(order(OrderStatus.OPEN, time_ms=2)) is None


def test_a_repeated_report_keeps_the_published_order_and_gives_it_its_times_when_asked() -> None:
    """F27: an open order is one object, however often it is reported."""
    tracker = OrderTracker()
    published = tracker.apply(order(OrderStatus.OPEN, time_ms=1))
    repeated = replace(order(OrderStatus.OPEN, time_ms=2), received_ns=9)
    tracker.apply(repeated)
    assert published is not None
    assert tracker.open_orders()[0] is published.order
    found = tracker.find(OrderRef(symbol="BTCUSDT", order_id="7"))
    assert found == repeated


def test_an_order_that_a_list_shows_unchanged_is_the_one_that_is_known() -> None:
    """F27: a list of thousands of known orders takes no memory for each, and its times apply."""
    tracker = OrderTracker()
    published = tracker.apply(order(OrderStatus.OPEN, time_ms=1))
    repeated = replace(order(OrderStatus.OPEN, time_ms=2), received_ns=9)
    assert published is not None
    assert tracker.known_if_same(repeated) is published.order
    assert tracker.find(OrderRef(symbol="BTCUSDT", order_id="7")) == repeated


@pytest.mark.parametrize(
    "listed",
    [
        order(OrderStatus.PARTIALLY_FILLED, filled=1, time_ms=2),
        order(OrderStatus.OPEN, time_ms=2, price=Decimal(46_000)),
        order(OrderStatus.OPEN, time_ms=2, order_id="8"),
    ],
)
def test_an_order_that_a_list_shows_changed_is_applied_later(listed: Order) -> None:
    """F6: its fills are queried before it is published."""
    tracker = OrderTracker()
    published = tracker.apply(order(OrderStatus.OPEN, time_ms=1))
    assert tracker.known_if_same(listed) is listed
    assert published is not None
    assert tracker.open_orders() == [published.order]


def test_a_list_that_still_shows_a_canceled_order_does_not_reopen_it() -> None:
    """F8: a late report never undoes a newer one."""
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.CANCELED, time_ms=5))
    listed = tracker.known_if_same(order(OrderStatus.OPEN, time_ms=4))
    assert tracker.apply(listed) is None
    assert tracker.open_orders() == []


def test_a_report_older_than_a_repeated_one_does_not_change_the_order() -> None:
    """F8: a late report never undoes a newer one, though the newer one told nothing new."""
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.OPEN, time_ms=1))
    tracker.apply(order(OrderStatus.OPEN, time_ms=5))
    assert tracker.apply(order(OrderStatus.OPEN, time_ms=4, price=Decimal(46_000))) is None


def test_holders_of_an_open_order_share_its_key() -> None:
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.OPEN))
    again = order(OrderStatus.OPEN)
    assert tracker.key(again) == (again.symbol, again.order_id)
    assert tracker.key(again) is tracker.key(order(OrderStatus.OPEN))


def test_orders_share_equal_values_and_keep_their_digits() -> None:
    """F27: what many open orders have in common is kept once."""
    tracker = OrderTracker()
    for number, quantity in enumerate(["0.0030", "0.0030", "0.003"]):
        values = {"quantity": Decimal(quantity), "price": Decimal("45000.10"), "symbol": "".join(["BTC", "USDT"])}
        tracker.apply(order(OrderStatus.OPEN, order_id=str(number), client_order_id=f"c{number}", **values))
    first, second, third = tracker.open_orders()
    assert (first.symbol, first.quantity, first.price) == ("BTCUSDT", QUANTITY, Decimal("45000.1"))
    assert first.symbol is second.symbol
    assert first.price is second.price
    assert first.quantity is second.quantity
    assert [str(one.quantity) for one in (second, third)] == ["0.0030", "0.003"]
    assert first.filled_quantity is second.filled_quantity


def test_closed_orders_are_forgotten_above_the_limit_and_open_ones_never() -> None:
    """F27: memory does not grow with time."""
    tracker = OrderTracker(closed_limit=10, fill_limit=10)
    tracker.apply(order(OrderStatus.OPEN, order_id="open", client_order_id="open"))
    for number in range(1_000):
        one = order(OrderStatus.CANCELED, order_id=str(number), client_order_id=f"c{number}")
        tracker.apply(one, fill(number, order_id=str(number)))
    known = [n for n in range(1_000) if tracker.find(OrderRef(symbol="BTCUSDT", client_order_id=f"c{n}"))]
    assert known == list(range(990, 1_000))
    assert [one.order_id for one in tracker.open_orders()] == ["open"]


def test_an_update_carries_the_current_state_of_the_order() -> None:
    tracker = OrderTracker()
    tracker.apply(order(OrderStatus.FILLED, 3, 9))
    late = tracker.apply(order(OrderStatus.PARTIALLY_FILLED, 1, 1), fill(1))
    assert isinstance(late, OrderUpdate)
    assert (late.order.status, late.order.filled_quantity) == (OrderStatus.FILLED, QUANTITY)
