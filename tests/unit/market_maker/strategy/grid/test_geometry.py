"""Where levels lie and what they buy."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity, least_order_quantity
from tests.unit.market_maker.venue import RULES

GRID = Grid(anchor=Decimal(1000), interval=Decimal(10))
prices = st.decimals("100", "5000", places=1)


@pytest.mark.parametrize(
    ("price", "centre"), [("1000", 1000), ("1004.9", 1000), ("1005", 1010), ("994.9", 990), ("1016", 1020)]
)
def test_the_centre_is_the_level_nearest_to_the_price(price: str, centre: int) -> None:
    assert GRID.price_of(GRID.centre(Decimal(price))) == centre


@pytest.mark.parametrize(
    ("price", "highest"), [("1000", 990), ("1000.9", 990), ("1001", 990), ("1001.1", 1000), ("1009", 1000)]
)
def test_the_highest_buy_is_a_tenth_of_an_interval_below_the_price(price: str, highest: int) -> None:
    assert GRID.price_of(GRID.buy_levels(Decimal(price), 5)[0]) == highest


def test_the_buy_window_counts_from_the_centre() -> None:
    levels = [GRID.price_of(level) for level in GRID.buy_levels(Decimal(1000), 5)]
    assert levels == [990, 980, 970, 960]


@given(
    st.decimals("0.1", "5000", places=2),
    st.sampled_from([Decimal(10), Decimal("0.3"), Decimal("12.7")]),
    st.booleans(),
)
def test_a_price_lies_between_the_level_below_and_the_next(price: Decimal, interval: Decimal, geometric: bool) -> None:
    """F5: on both sides of the anchor, and the second time as the first."""
    grid = Grid(anchor=Decimal(1000), interval=interval / 1000 if geometric else interval, geometric=geometric)
    for _ in range(2):
        level = grid.level_below(price)
        assert grid.price_of(level) <= price < grid.price_of(level + 1)


def test_quantity_is_the_quote_amount_down_to_the_step() -> None:
    assert buy_quantity(Decimal(990), Decimal(30), Decimal(6), RULES) == Decimal("0.030")


@pytest.mark.parametrize(
    ("order_quantity", "min_order_value", "venue_minimum"), [("0.9", "0", "0"), ("5", "6", "0"), ("5", "0", "6")]
)
def test_nothing_is_bought_below_a_minimum(order_quantity: str, min_order_value: str, venue_minimum: str) -> None:
    rules = replace(RULES, min_notional=Decimal(venue_minimum))
    assert buy_quantity(Decimal(1000), Decimal(order_quantity), Decimal(min_order_value), rules) == 0


@given(prices, st.decimals("1", "5000", places=2), st.decimals("0", "50", places=2))
def test_every_bought_quantity_passes_the_venues_rules(price: Decimal, amount: Decimal, least: Decimal) -> None:
    """F23: a step missed or a minimum not met would be a rejected order."""
    quantity = buy_quantity(price, amount, least, RULES)
    assert quantity == 0 or (
        quantity % RULES.quantity_step == 0
        and quantity >= RULES.min_quantity
        and max(RULES.min_notional, least) <= quantity * price <= amount
    )


@given(prices, st.decimals("0", "50", places=2))
def test_the_least_amount_told_to_the_user_buys_something(price: Decimal, least: Decimal) -> None:
    amount = least_order_quantity(price, least, RULES)
    assert buy_quantity(price, amount, least, RULES) > 0
