"""Which levels of a grid have orders, and which orders stay, one rule a test."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.quoter import GridFrame, GridQuoter
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.market_maker.strategy.quoter import Keep, MarketState
from opensqt.model.order import Side
from tests.unit.market_maker.venue import RULES

MARKET = MarketState(bid=Decimal("1003.9"), ask=Decimal("1004.1"), reference=Decimal(1004))


GRID = Grid(anchor=Decimal(1000), interval=Decimal(10))
prices = st.one_of(st.decimals("100", "5000", places=1), st.integers(20, 1000).map(lambda n: Decimal(5 * n)))
"""Half of them on a level or half way between two."""


def make_quoter(mode: GridMode, window: int = 5) -> GridQuoter:
    settings = GridSettings(
        order_quantity=Decimal(30),
        min_order_value=Decimal(6),
        buy_window=window,
        sell_window=window,
        max_open_orders=12,
        cleanup_batch=3,
        mode=mode,
    )
    return GridQuoter(GRID, settings, RULES)


def keeps(mode: GridMode, level: int, side: Side, price: str, *, held: str, closes: bool) -> Keep:
    quoter = make_quoter(mode)
    order = LiveOrder(
        client_order_id="a", level=level, side=side, price=Decimal(price), quantity=Decimal("0.03"), closes=closes
    )
    slot = Slot(level=level, quantity=Decimal(held))
    frame = quoter.frame(MARKET, Inventory())
    return quoter.keeps(frame, order, slot)


class Inventory:
    """Nothing held."""

    position = cost = Decimal(0)
    slots: dict[int, Slot] = {}  # noqa: RUF012 - never changed


@pytest.mark.parametrize(("side", "held"), [(Side.SELL, "0.02"), (Side.BUY, "-0.02"), (Side.SELL, "0")])
def test_an_exit_of_more_than_its_level_holds_goes(side: Side, held: str) -> None:
    """F4: a fill that is found late leaves less to close than the order would."""
    assert keeps(GridMode.NEUTRAL, 0, side, "1010", held=held, closes=True) is Keep.NO


def test_an_exit_of_what_its_level_holds_stays_wherever_the_price_goes() -> None:
    assert keeps(GridMode.LONG, -40, Side.SELL, "610", held="0.03", closes=True) is Keep.ALWAYS


def test_an_entry_on_a_level_that_holds_the_other_side_goes() -> None:
    """F19: a level is long or short, never both."""
    assert keeps(GridMode.NEUTRAL, 0, Side.BUY, "1000", held="-0.03", closes=False) is Keep.NO


def test_an_entry_of_the_side_that_the_mode_does_not_open_goes() -> None:
    assert keeps(GridMode.SHORT, 0, Side.BUY, "1000", held="0", closes=False) is Keep.NO


def test_an_order_an_interval_off_its_level_and_the_touch_goes() -> None:
    assert keeps(GridMode.LONG, 0, Side.BUY, "993", held="0", closes=False) is Keep.IN_WINDOW
    assert keeps(GridMode.LONG, 0, Side.BUY, "990", held="0", closes=False) is Keep.NO


@given(prices, st.integers(1, 20))
def test_every_wanted_entry_is_inside_the_kept_window(price: Decimal, window: int) -> None:
    """F5: an order that is placed and cancelled again and again is never filled."""
    frame = frame_at(price, window)
    assert all(level >= frame.buy_floor for level in frame.buys)
    assert all(level <= frame.sell_cap for level in frame.sells)


@given(prices, st.integers(1, 20))
def test_a_kept_entry_is_at_most_one_level_outside_the_window(price: Decimal, window: int) -> None:
    """F5: the exposure is that of a window, and one level."""
    frame, centre = frame_at(price, window), GRID.centre(price)
    assert centre - window <= frame.buy_floor <= centre - window + 1
    assert centre + window - 1 <= frame.sell_cap <= centre + window


def test_the_last_buy_of_a_rising_window_stays_until_the_price_is_at_the_next_level() -> None:
    """The window moves at 1005; its last buy, of level -4, goes at 1010."""
    floors = [frame_at(Decimal(price), 5).buy_floor for price in ("1004.9", "1005.1", "1009.9", "1010")]
    assert floors == [-4, -4, -4, -3]
    last = [frame_at(Decimal(price), 5).buys[-1] for price in ("1004.9", "1005.1")]
    assert last == [-4, -3]


def frame_at(price: Decimal, window: int) -> GridFrame:
    market = MarketState(bid=price - Decimal("0.1"), ask=price + Decimal("0.1"), reference=price)
    return make_quoter(GridMode.NEUTRAL, window).frame(market, Inventory())
