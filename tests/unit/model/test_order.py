"""The one status table, pair by pair, and the small facts of an order."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from opensqt.model.order import TRANSITIONS, Order, OrderRef, OrderStatus, Side

CLOSED = {
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
    OrderStatus.REJECTED,
    OrderStatus.DENIED,
}
DOCUMENT = Path(__file__).parents[3] / "docs" / "orders.md"


def drawn() -> dict[tuple[str, str], bool]:
    """The table of docs/orders.md: may the first become the second?"""
    _, _, after = DOCUMENT.read_text(encoding="utf-8").partition("<!-- transitions")
    lines = [line for line in after.splitlines() if line.startswith("|")][: 2 + len(OrderStatus)]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(row[0], new): mark == "x" for row in rows for new, mark in zip(head[1:], row[1:], strict=True)}


def test_the_drawn_table_names_every_pair() -> None:
    assert set(drawn()) == set(product(OrderStatus, OrderStatus))


@pytest.mark.parametrize(("old", "new"), list(product(OrderStatus, OrderStatus)))
def test_a_status_may_follow_another_only_where_the_drawn_table_says_so(old: OrderStatus, new: OrderStatus) -> None:
    assert old.may_become(new) is drawn()[old, new]


def test_every_status_has_its_row() -> None:
    assert set(TRANSITIONS) == set(OrderStatus)


@pytest.mark.parametrize("status", OrderStatus)
def test_a_status_is_closed_or_open_or_in_flight(status: OrderStatus) -> None:
    assert [status.is_closed, status.is_open, status.is_in_flight].count(True) == 1
    assert status.is_closed is (status in CLOSED)


@pytest.mark.parametrize("status", [one for one in OrderStatus if one is not OrderStatus.PENDING])
def test_only_an_order_that_was_not_sent_can_be_denied(status: OrderStatus) -> None:
    assert not status.may_become(OrderStatus.DENIED)


@pytest.mark.parametrize("status", OrderStatus)
def test_nothing_returns_to_pending(status: OrderStatus) -> None:
    assert status.may_become(OrderStatus.PENDING) is (status is OrderStatus.PENDING)


def test_the_sign_of_a_side_is_what_a_fill_does_to_a_position() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


def test_what_remains_is_what_was_asked_less_what_was_filled() -> None:
    order = Order(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.3"),
        filled_quantity=Decimal("0.1"),
        client_order_id="a",
        status=OrderStatus.PARTIALLY_FILLED,
    )
    assert order.remaining_quantity == Decimal("0.2")


def test_an_order_ref_needs_an_id() -> None:
    with pytest.raises(ValueError, match="client_order_id or order_id"):
        OrderRef(symbol="BTCUSDT")


@pytest.mark.parametrize("field", ["symbol", "status"])
def test_an_order_does_not_change(field: str) -> None:
    order = Order(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), client_order_id="a", status=OrderStatus.OPEN)
    with pytest.raises(AttributeError):
        setattr(order, field, "x")
