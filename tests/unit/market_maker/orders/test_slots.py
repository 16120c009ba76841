"""A slot's states, what an order's news does to it, and what a trade leaves."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.orders.slots import IllegalTransition, LiveOrder, Slot, SlotEvent, SlotState, next_state
from opensqt.model.order import Order, OrderStatus, Side

ALLOWED = {
    ("FREE", "PLACE"): "PENDING",
    ("FREE", "ACKNOWLEDGE"): "LOCKED",
    ("PENDING", "OUTCOME_UNKNOWN"): "PENDING",
    ("PENDING", "ACKNOWLEDGE"): "LOCKED",
    ("PENDING", "REFUSE"): "FREE",
    ("PENDING", "SETTLE"): "FREE",
    ("LOCKED", "OUTCOME_UNKNOWN"): "LOCKED",
    ("LOCKED", "ACKNOWLEDGE"): "LOCKED",
    ("LOCKED", "SETTLE"): "FREE",
}
LIVE = LiveOrder(
    client_order_id="SQ1B113BTC1",
    level=-1,
    side=Side.BUY,
    price=Decimal(990),
    quantity=Decimal(3),
    status=OrderStatus.OPEN,
)
trades = st.lists(
    st.tuples(st.sampled_from(Side), st.decimals("1", "100", places=1), st.decimals("0.001", "5", places=3)),
    max_size=20,
)


@pytest.mark.parametrize("event", SlotEvent)
@pytest.mark.parametrize("state", SlotState)
def test_every_pair_of_the_table(state: SlotState, event: SlotEvent) -> None:
    expected = ALLOWED.get((state.value, event.value))
    if expected is None:
        with pytest.raises(IllegalTransition):
            next_state(state, event)
    else:
        assert next_state(state, event).value == expected


def test_older_news_does_not_undo_newer() -> None:
    newer = LIVE.merged(_told(OrderStatus.PARTIALLY_FILLED, "2"))
    assert newer.merged(_told(OrderStatus.OPEN, "0")) == newer
    assert newer.merged(_told(OrderStatus.PARTIALLY_FILLED, "1")) == newer


def test_a_closed_order_is_settled_only_when_its_fills_are_counted() -> None:
    """F4: a slot must not be used again while a fill of its last order is on its way."""
    closed = LIVE.merged(_told(OrderStatus.CANCELED, "2"))
    assert not closed.settled
    assert replace(closed, counted=Decimal(2)).settled


@given(trades)
def test_profit_and_cost_add_up_to_the_cash_that_moved(script: list[tuple[Side, Decimal, Decimal]]) -> None:
    slot, cash, profit = Slot(level=0), Decimal(0), Decimal(0)
    for side, price, quantity in script:
        slot, earned = slot.traded(side, price, quantity)
        cash -= side.sign * price * quantity
        profit += earned
    assert abs((profit - slot.cost) - cash) < Decimal("1e-15")
    assert slot.quantity == sum((side.sign * quantity for side, _, quantity in script), Decimal(0))


def _told(status: OrderStatus, filled: str) -> Order:
    return Order(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(3),
        client_order_id=LIVE.client_order_id,
        status=status,
        filled_quantity=Decimal(filled),
    )
