"""Short, neutral, range, geometric step and amounts, each on a venue in miniature."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.market_maker.orders.account_changes import StoredAccounting
from opensqt.market_maker.orders.reconcile import grid_position
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.stored import Header, Stored
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.account import Position
from opensqt.model.errors import ExchangeError, InsufficientMargin
from opensqt.model.order import Order, OrderRequest, PositionSide, Side
from tests.unit.market_maker.venue import SYMBOL, Bench, MiniVenue

SHORT = {"mode": GridMode.SHORT}
NEUTRAL = {"mode": GridMode.NEUTRAL}


class Recorder(Bench):
    """A bench that keeps the requests."""

    def place(self, request: OrderRequest) -> Order | ExchangeError:
        self.__dict__.setdefault("requests", []).append(request)
        return super().place(request)

    def sent(self, side: Side, *, reduce_only: bool) -> set[PositionSide]:
        return {
            request.position_side
            for request in self.__dict__["requests"]
            if request.side is side and request.reduce_only is reduce_only
        }


def test_a_short_grid_sells_above_the_price() -> None:
    """Short mirrors long: the levels of the sell window that are more than a tenth of an interval above the price."""
    bench = Bench(**SHORT).start(996)
    assert bench.sells == {4: 1040, 3: 1030, 2: 1020, 1: 1010, 0: 1000}
    assert not bench.buys


def test_a_filled_short_level_is_bought_back_one_level_lower() -> None:
    bench = Bench(**SHORT).start(996)
    bench.fill(0)
    assert bench.buys == {0: 990}
    assert 0 not in bench.sells
    bench.fill(0)
    assert bench.engine.state.totals.profit == Decimal("0.30")
    assert 0 in bench.sells


def test_a_short_entry_that_leaves_the_window_is_cancelled_half_an_interval_late() -> None:
    bench = Bench(**SHORT).start(996)
    bench.move(991)
    assert 4 in bench.sells
    bench.move(989)
    assert bench.sells == {3: 1030, 2: 1020, 1: 1010, 0: 1000}


def test_the_buys_of_a_short_grid_are_reduce_only_and_its_sells_are_not() -> None:
    bench = Bench(**SHORT).start(996)
    assert not any(order.reduce_only for order in bench.venue.open_orders)
    bench.fill(0)
    assert [order.reduce_only for order in bench.venue.open_orders if order.side is Side.BUY] == [True]


def test_a_neutral_grid_opens_on_both_sides() -> None:
    bench = Bench(**NEUTRAL).start(1004)
    assert bench.buys == {0: 1000, -1: 990, -2: 980, -3: 970, -4: 960}
    assert bench.sells == {4: 1040, 3: 1030, 2: 1020, 1: 1010}


def test_a_neutral_grid_closes_long_above_and_short_below() -> None:
    bench = Bench(**NEUTRAL).start(1004)
    bench.fill(0)
    bench.fill(1)
    assert bench.sells[0] == 1010
    assert bench.buys[1] == 1000
    assert bench.engine.state.position == Decimal("0.001")
    bench.fill(0)
    bench.fill(1)
    assert bench.engine.state.position == 0
    assert bench.engine.state.totals.profit == Decimal("0.59")


def test_a_neutral_grid_in_one_way_mode_never_sends_reduce_only() -> None:
    """F19: long and short levels net off, so that the position may be smaller than what a level closes."""
    bench = Bench(**NEUTRAL).start(1004)
    bench.fill(0)
    bench.fill(1)
    assert not any(order.reduce_only for order in bench.venue.open_orders)


def test_in_hedge_mode_each_order_names_the_side_that_it_opens_or_closes() -> None:
    """F19: buys open the long position and close the short one, with the side named."""
    bench = Recorder(position_side=PositionSide.LONG, **NEUTRAL)
    bench.start(1004)
    bench.fill(0)
    bench.fill(1)
    assert bench.sent(Side.BUY, reduce_only=False) == {PositionSide.LONG}
    assert bench.sent(Side.SELL, reduce_only=True) == {PositionSide.LONG}
    assert bench.sent(Side.SELL, reduce_only=False) == {PositionSide.SHORT}
    assert bench.sent(Side.BUY, reduce_only=True) == {PositionSide.SHORT}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(GridMode.LONG, "3"), (GridMode.SHORT, "-1"), (GridMode.NEUTRAL, "2")],
)
def test_the_position_in_hedge_mode_is_that_of_the_mode(mode: GridMode, expected: str) -> None:
    """F19: a long grid has the long position, a short one the short one, a neutral one their sum."""
    positions = [
        Position(symbol=SYMBOL, quantity=Decimal(quantity), entry_price=Decimal(1000), position_side=side)
        for side, quantity in ((PositionSide.LONG, "3"), (PositionSide.SHORT, "-1"))
    ]
    found = grid_position(positions, SYMBOL, mode)
    assert found is not None
    assert found.quantity == Decimal(expected)


def test_a_response_without_one_side_of_a_neutral_grid_proves_nothing() -> None:
    """F19: half of a sum is no position."""
    long = Position(symbol=SYMBOL, quantity=Decimal(3), entry_price=Decimal(1000), position_side=PositionSide.LONG)
    assert grid_position([long], SYMBOL, GridMode.NEUTRAL) is None


def test_a_range_opens_nothing_outside_of_it() -> None:
    """A level and the one that closes it lie inside the range."""
    bench = Bench(lowest_price=Decimal(985), highest_price=Decimal(1010), **NEUTRAL).start(1004)
    assert bench.buys == {0: 1000, -1: 990}
    assert bench.sells == {1: 1010}


def test_a_holding_outside_the_range_is_offered() -> None:
    bench = Bench(lowest_price=Decimal(985)).start(1004)
    bench.fill(-1)
    bench.move(960)
    assert -1 in bench.sells


def test_a_geometric_grid_has_levels_at_one_ratio() -> None:
    bench = Bench(interval=Decimal("0.01"), geometric=True).start(1004)
    assert bench.buys == {
        0: 1000,
        -1: Decimal("990.1"),
        -2: Decimal("980.3"),
        -3: Decimal("970.6"),
        -4: Decimal("961.0"),
    }
    bench.move(995)
    bench.fill(-1)
    assert bench.sells == {-1: 1000}


def test_levels_may_have_a_fixed_amount_of_base_coins() -> None:
    bench = Bench(order_quantity=Decimal("0.02"), in_base=True).start(1004)
    assert {order.quantity for order in bench.venue.open_orders} == {Decimal("0.02")}


@pytest.mark.parametrize(("mode", "position", "levels"), [(GridMode.SHORT, "-0.06", {0: 990, -1: 980})])
def test_a_found_short_position_is_laid_on_levels_and_never_closed_at_a_loss(
    mode: GridMode, position: str, levels: dict[int, int]
) -> None:
    venue = MiniVenue()
    venue.opening = Decimal(position)
    bench = Bench(venue=venue, adopt_position="levels", mode=mode).start(996)
    bench.wait(2)
    bench.wait(2)
    bench.wait(2)
    bench.wait(2)
    bench.wait(2)
    assert bench.engine.state.position == Decimal(position)
    assert {level: bench.buys[level] for level in levels} == levels


def test_a_refused_margin_pulls_the_entries_of_a_short_grid() -> None:
    bench = Bench(**SHORT).start(996)
    bench.venue.refuse = InsufficientMargin
    bench.move(986)
    bench.venue.refuse = None
    assert not bench.sells


def test_a_restart_of_a_neutral_grid_offers_both_sides_of_what_is_stored() -> None:
    """F9: slots of both signs come back, and each is offered on its own side."""
    held = Decimal("0.03")
    stored = Stored(
        header=Header(anchor=Decimal(1000), interval=Decimal(10), sequence=5, watermark_ms=0),
        slots=(
            Slot(level=2, quantity=held, cost=held * 1020),
            Slot(level=-2, quantity=-held, cost=-held * 980),
        ),
        accounting=StoredAccounting(ledger=ProfitLedger(since_ms=0)),
    )
    bench = Bench(stored, **NEUTRAL).start(1004)
    assert bench.sells[2] == 1030
    assert bench.buys[-2] == 970


def test_a_long_holding_is_offered_after_the_mode_has_changed() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    state = bench.engine.state
    stored = Stored(
        header=state.header,
        slots=tuple(slot for slot in state.slots.values() if slot.quantity),
        accounting=StoredAccounting(ledger=state.accounting.ledger),
    )
    other = Bench(stored, bench.venue, mode=GridMode.SHORT).start(1004)
    assert other.sells[0] == 1010
