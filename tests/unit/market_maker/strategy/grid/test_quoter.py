"""Which orders of a grid stay, one rule a test."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.quoter import GridQuoter
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.market_maker.strategy.quoter import Keep, MarketState
from opensqt.model.order import Side
from tests.unit.market_maker.venue import RULES

MARKET = MarketState(bid=Decimal("1003.9"), ask=Decimal("1004.1"), reference=Decimal(1004))


def keeps(mode: GridMode, level: int, side: Side, price: str, *, held: str, closes: bool) -> Keep:
    settings = GridSettings(
        order_quantity=Decimal(30),
        min_order_value=Decimal(6),
        buy_window=5,
        sell_window=5,
        max_open_orders=12,
        cleanup_batch=3,
        mode=mode,
    )
    quoter = GridQuoter(Grid(anchor=Decimal(1000), interval=Decimal(10)), settings, RULES)
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
