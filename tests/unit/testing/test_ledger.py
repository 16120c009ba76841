"""What fills do to a position and the balance: arithmetic that must hold for every series of fills."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.account import Position
from opensqt.model.order import Side
from opensqt.testing.ledger import settle

FLAT = Position(symbol="BTCUSDT", quantity=Decimal(0), entry_price=Decimal(0))
FILLS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 50), st.integers(1, 1000)), max_size=20)


def held(quantity: int, entry: int) -> Position:
    return Position(symbol="BTCUSDT", quantity=Decimal(quantity), entry_price=Decimal(entry))


@pytest.mark.parametrize(
    ("before", "fill", "quantity", "entry", "realized"),
    [
        (FLAT, (Side.BUY, 2, 100), 2, 100, 0),
        (FLAT, (Side.SELL, 2, 100), -2, 100, 0),
        (held(2, 100), (Side.BUY, 2, 200), 4, 150, 0),
        (held(-2, 100), (Side.SELL, 2, 200), -4, 150, 0),
        (held(4, 100), (Side.SELL, 1, 150), 3, 100, 50),
        (held(-4, 100), (Side.BUY, 1, 150), -3, 100, -50),
        (held(2, 100), (Side.SELL, 2, 90), 0, 0, -20),
        (held(2, 100), (Side.SELL, 5, 110), -3, 110, 20),
        (held(-2, 100), (Side.BUY, 5, 110), 3, 110, -20),
    ],
)
def test_a_fill_moves_the_position(
    before: Position, fill: tuple[Side, int, int], quantity: int, entry: int, realized: int
) -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    side, size, price = fill
    after, profit = settle(before, side, Decimal(size), Decimal(price))
    assert (after.quantity, after.entry_price, profit) == (quantity, entry, realized)


@given(FILLS)
def test_profit_is_what_came_in_less_what_went_out(fills: list[tuple[Side, int, int]]) -> None:
    """F36: realized profit plus what is held at any price equals the cash that moved."""
    position, realized, cash = FLAT, Decimal(0), Decimal(0)
    for side, size, price in fills:
        position, profit = settle(position, side, Decimal(size), Decimal(price))
        realized += profit
        cash -= side.sign * size * price
    worth_at_seven = position.quantity * 7
    open_profit = (7 - position.entry_price) * position.quantity
    assert abs(cash + worth_at_seven - realized - open_profit) < Decimal("1e-15")


@given(FILLS)
def test_a_position_is_the_sum_of_its_fills(fills: list[tuple[Side, int, int]]) -> None:
    position = FLAT
    for side, size, price in fills:
        position, _ = settle(position, side, Decimal(size), Decimal(price))
    assert position.quantity == sum(side.sign * size for side, size, _ in fills)
    assert position.is_flat == (position.entry_price == 0)
