"""A price that is not trusted holds entries, never exits: each held level is offered at its own level's price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.market_maker.orders.events import PauseChanged, PauseMode
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.stored import Header, Stored
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.inputs import MarkUpdate, PriceUpdate
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.model.errors import ExchangeError
from opensqt.model.market import MarkPrice
from opensqt.model.order import Order, OrderRequest, Side, TimeInForce
from tests.unit.market_maker.venue import SYMBOL, WOULD_CROSS, Bench, MiniVenue, price

HELD_FOR_GOOD_S = 40.0
"""Longer than `exits_after_s`."""


class Disputed(Bench):
    """A grid of 10 around 1000 whose book and mark price may be apart, and a record of what it sent."""

    def __init__(self, stored: Stored | None = None, venue: MiniVenue | None = None, **given: object) -> None:
        reference = ReferenceSettings(book_max_age_s=1e9)
        super().__init__(stored, venue, reference=reference, price_max_age_s=1e9, **given)
        self.sent: list[OrderRequest] = []
        self.mark = Decimal(1000)
        self.book = Decimal(1000)
        self.silent = False

    def place(self, request: OrderRequest) -> Order | ExchangeError:
        self.sent.append(request)
        return super().place(request)

    def show(self, seconds: float) -> None:
        """Let seconds pass, in which book and mark price are reported each second."""
        until = self.now + seconds
        while self.now < until:
            self.now += 1
            if not self.silent:
                mark = MarkPrice(symbol=SYMBOL, mark=self.mark, event_time_ms=1)
                self.engine.handle(MarkUpdate(mark), self.now)
                self.engine.handle(PriceUpdate(price(self.book)), self.now)
            self.think()
            self.settle()

    @property
    def held(self) -> bool:
        return self.engine.prices.hold is not None


def agreed(mode: GridMode) -> Disputed:
    """A running grid of a mode with its anchor at 1000 and the price at 1004."""
    bench = Disputed(mode=mode)
    bench.show(1)
    bench.book = bench.mark = Decimal(1004)
    bench.show(3)
    return bench


def disputed(mode: GridMode, mark: int) -> Disputed:
    """The same after its mark price went away."""
    bench = agreed(mode)
    bench.mark = Decimal(mark)
    bench.show(1)
    assert bench.held
    bench.sent.clear()
    return bench


@pytest.mark.parametrize("mark", [800, 1200])
@pytest.mark.parametrize(
    ("mode", "level", "side", "exit_price"),
    [
        (GridMode.LONG, 0, Side.SELL, 1010),
        (GridMode.LONG, -2, Side.SELL, 990),
        (GridMode.SHORT, 1, Side.BUY, 1000),
        (GridMode.SHORT, 3, Side.BUY, 1020),
        (GridMode.NEUTRAL, -1, Side.SELL, 1000),
        (GridMode.NEUTRAL, 2, Side.BUY, 1010),
    ],
)
def test_what_fills_while_the_price_is_held_is_offered_at_its_own_levels_price(
    mode: GridMode, level: int, side: Side, exit_price: int, mark: int
) -> None:
    """F40, F41: the mark price stays far away for good; the level that fills meanwhile had no exit, for hours."""
    bench = disputed(mode, mark)
    bench.fill(level)
    bench.book = bench.venue.fills[-1].price
    bench.show(HELD_FOR_GOOD_S)
    assert bench.held
    assert bench.live(side)[level] == exit_price
    assert [request.side for request in bench.sent] == [side], "entries stay held"
    assert bench.sent[0].time_in_force is TimeInForce.POST_ONLY
    assert bench.sent[0].reduce_only is (mode is not GridMode.NEUTRAL)
    bench.fill(level)
    bench.show(HELD_FOR_GOOD_S)
    assert bench.engine.state.position == 0
    assert len(bench.sent) == 1, "nothing new is opened"


def test_a_moment_without_agreement_lays_no_exit_beyond_the_mark() -> None:
    """F40: a flash move fills three levels; their exits would be three levels under the market, and fill at once."""
    bench = agreed(GridMode.LONG)
    bench.book = Decimal(960)
    bench.show(1)
    for level in (0, -1, -2, -3):
        bench.fill(level)
    bench.show(25)
    assert bench.held
    assert set(bench.sells) <= {0, -1}, "these are no more than a level below the mark price"


def test_an_exit_that_is_beyond_no_input_is_not_kept_waiting() -> None:
    """F41: with the mark price far below, a sell above the last trusted price is safe by every input."""
    bench = disputed(GridMode.LONG, 900)
    bench.fill(0)
    bench.show(8)
    assert bench.sells == {0: 1010}


@pytest.mark.parametrize(("level", "mark"), [(-3, 800), (-3, 1200), (4, 800), (4, 1200)])
def test_a_start_into_a_disputed_price_offers_what_is_held(level: int, mark: int) -> None:
    """F41: after a restart there is no trusted price at all; the levels of before have exits, and nothing opens."""
    quantity = Decimal("0.030") if level < 0 else Decimal("-0.030")
    cost = quantity * (1000 + 10 * level)
    header = Header(anchor=Decimal(1000), interval=Decimal(10), sequence=50, watermark_ms=1)
    venue = MiniVenue()
    venue.opening = quantity
    stored = Stored(header=header, slots=(Slot(level=level, quantity=quantity, cost=cost),))
    bench = Disputed(stored, venue, mode=GridMode.LONG if level < 0 else GridMode.SHORT)
    bench.mark, bench.book = Decimal(mark), Decimal(1000 + 10 * level)
    bench.show(HELD_FOR_GOOD_S)
    assert bench.engine.market is None
    side = Side.SELL if level < 0 else Side.BUY
    assert bench.live(side) == {level: 1000 + 10 * (level - side.sign)}
    assert [request.reduce_only for request in bench.sent] == [True]


def test_a_start_without_any_price_offers_what_is_held() -> None:
    """F41: no stream of prices answers; the exits need none."""
    header = Header(anchor=Decimal(1000), interval=Decimal(10), sequence=50, watermark_ms=1)
    venue = MiniVenue()
    venue.opening = Decimal("0.030")
    stored = Stored(header=header, slots=(Slot(level=-3, quantity=Decimal("0.030"), cost=Decimal("29.1")),))
    bench = Disputed(stored, venue)
    bench.silent = True
    bench.show(HELD_FOR_GOOD_S)
    assert bench.sells == {-3: 980}


def test_an_exit_whose_price_the_market_has_passed_is_offered_at_the_better_one() -> None:
    """F18: never at a worse price than its own level's, and never as a taker: the book is a limit, too."""
    bench = disputed(GridMode.LONG, 1200)
    bench.fill(-2)
    bench.book = Decimal(1050)
    bench.show(HELD_FOR_GOOD_S)
    assert bench.held
    assert bench.sells == {-2: Decimal("1050.0")}, "a step above the best bid"


def test_an_exit_that_is_refused_as_a_taker_is_not_sent_again_without_end() -> None:
    """F47: exits are tried on their own schedule, in a hold too."""
    bench = disputed(GridMode.LONG, 1200)
    bench.fill(-2)
    bench.venue.refuse = WOULD_CROSS
    bench.show(600)
    assert 2 < len(bench.sent) < 100
    bench.venue.refuse = None
    bench.show(60)
    assert bench.sells[-2] >= 990


def test_exits_are_the_nearest_ones_and_no_more_than_the_window() -> None:
    """A hold lays no more exits than the grid would otherwise have: those nearest to their price."""
    header = Header(anchor=Decimal(1000), interval=Decimal(10), sequence=50, watermark_ms=1)
    slots = [
        Slot(level=level, quantity=Decimal("0.030"), cost=Decimal("0.030") * (1000 + 10 * level))
        for level in range(-3, 9)
    ]
    venue = MiniVenue()
    venue.opening = Decimal("0.360")
    bench = Disputed(Stored(header=header, slots=slots), venue, sell_window=5)
    bench.mark, bench.book = Decimal(700), Decimal(975)
    bench.show(HELD_FOR_GOOD_S)
    assert bench.sells == {level: 1010 + 10 * level for level in range(1, -4, -1)}


def test_a_pause_of_all_keeps_the_exits_away_in_a_hold_too() -> None:
    """What a person has paused stays paused."""
    bench = disputed(GridMode.LONG, 1200)
    bench.engine.handle(PauseChanged(PauseMode.ALL), bench.now)
    bench.fill(0)
    bench.show(HELD_FOR_GOOD_S)
    assert not bench.sells


def test_the_grid_goes_on_as_before_once_the_price_is_trusted_again() -> None:
    """It ends by itself, and exits that were laid meanwhile stay."""
    bench = disputed(GridMode.LONG, 1200)
    bench.fill(0)
    bench.show(HELD_FOR_GOOD_S)
    bench.mark = bench.book = Decimal(998)
    bench.show(5)
    assert not bench.held
    assert bench.sells == {0: 1010}
    assert set(bench.buys) == {-1, -2, -3, -4}
    assert len(bench.venue.orders) == len({*bench.venue.orders}), "no order was sent twice"
