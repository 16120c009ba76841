"""Refusals for good: a state with a reason and an advice, few requests, and exits on their own schedule."""

from __future__ import annotations

import pytest

from opensqt.market_maker.health import problems
from opensqt.market_maker.orders.refusals import ADVICE_BY_CODE
from opensqt.model.errors import (
    BY_REASON,
    ExchangeError,
    InsufficientMargin,
    OrderRejected,
    ReduceOnlyRefused,
    VenueError,
)
from opensqt.model.order import Order, OrderRequest, Side
from opensqt.venues.binance.errors import CODES as BINANCE
from opensqt.venues.bitget.errors import CODES as BITGET
from opensqt.venues.bybit.errors import CODES as BYBIT
from opensqt.venues.gate.errors import CODES as GATE
from opensqt.venues.okx.errors import CODES as OKX
from tests.unit.market_maker.venue import Bench

HOUR_S = 3_600
FOR_GOOD = (
    *((BINANCE, code) for code in ("-4140", "-2027", "-1111", "-4164", "-4131", "-4061")),
    *((OKX, code) for code in ("51004", "51020", "51006", "51027")),
    *((BYBIT, code) for code in ("110023", "110003")),
    *((BITGET, code) for code in ("40762", "45110", "40844")),
    *((GATE, code) for code in ("RISK_LIMIT_EXCEEDED", "CONTRACT_NOT_FOUND")),
)


class Refusing(Bench):
    """A venue that refuses orders by a rule of the test, and counts them."""

    def __init__(self, error: ExchangeError | None, *, only: Side | None = None, below: int = 0) -> None:
        super().__init__()
        self.error, self.only, self.below = error, only, below
        self.asked: dict[Side, int] = dict.fromkeys(Side, 0)

    def place(self, request: OrderRequest) -> Order | ExchangeError:
        self.asked[request.side] += 1
        assert request.price is not None
        refused = self.only in (None, request.side) and (not self.below or request.price < self.below)
        return self.error if self.error is not None and refused else self.venue.place(request)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.wait(1)


@pytest.mark.parametrize(("codes", "code"), FOR_GOOD, ids=[code for _, code in FOR_GOOD])
def test_an_hour_of_a_permanent_refusal_is_reported_and_costs_few_requests(
    codes: dict[str, type[ExchangeError]], code: str
) -> None:
    """F47 F17: within a minute the state has the venue's code, its text and an advice; at most 70 requests."""
    bench = Refusing(codes[code]("the venue's own text", venue_code=code))
    bench.start(1004)
    bench.pass_time(60)
    [problem] = problems(bench.engine, bench.now)
    margin = isinstance(bench.error, InsufficientMargin)
    assert "trading.order_quantity" in problem if margin else f"{code}, the venue's own text" in problem
    bench.pass_time(HOUR_S - 60)
    assert bench.asked[Side.BUY] <= 70


def test_every_code_with_an_advice_is_known_to_a_venue() -> None:
    known = {*BINANCE, *OKX, *BYBIT, *BITGET, *GATE, *BY_REASON}
    assert set(ADVICE_BY_CODE) <= known


def test_a_code_that_is_in_no_table_is_reported_as_well() -> None:
    """F47: the order is proven absent first, and then the code was a refusal."""
    bench = Refusing(VenueError("never seen", venue_code="-9999"))
    bench.start(1004)
    bench.pass_time(60)
    assert any("-9999, never seen" in one for one in problems(bench.engine, bench.now))
    bench.pass_time(HOUR_S - 60)
    assert bench.asked[Side.BUY] <= 70


def test_exits_are_tried_while_entries_are_refused() -> None:
    """F47: a reason that stops the entries has nothing to do with the exits."""
    bench = Refusing(None)
    bench.start(1004)
    bench.error, bench.only = OrderRejected("no new positions", venue_code="-4140"), Side.BUY
    bench.fill(0)
    bench.fill(-1)
    bench.pass_time(5)
    assert set(bench.sells) == {0, -1}


def test_refused_exits_are_tried_again_within_a_minute_and_do_not_stop_entries() -> None:
    """F47: on a schedule of their own."""
    bench = Refusing(OrderRejected("not now", venue_code="-4999"), only=Side.SELL)
    bench.start(1004)
    bench.fill(0)
    bench.fill(-1)
    bench.pass_time(600)
    assert any(one.startswith("exits refused by the exchange") for one in problems(bench.engine, bench.now))
    assert bench.buys
    asked = bench.asked[Side.SELL]
    bench.error = None
    bench.pass_time(90)
    assert set(bench.sells) == {0, -1}
    assert asked <= 30
    assert problems(bench.engine, bench.now) == []


def test_the_grid_is_whole_again_when_one_entry_is_accepted() -> None:
    """F47: nothing else is needed to end it."""
    bench = Refusing(OrderRejected("no new positions", venue_code="-4140"))
    bench.start(1004)
    bench.pass_time(1_000)
    bench.error = None
    bench.pass_time(301)
    assert len(bench.buys) == 5
    assert problems(bench.engine, bench.now) == []


def test_levels_outside_of_the_price_band_do_not_stop_the_others() -> None:
    """F47: the reason is about their own price; the near levels trade on."""
    bench = Refusing(OrderRejected("price too far", venue_code="-4131"), below=985)
    bench.start(1004)
    for _ in range(30):
        bench.pass_time(20)
        bench.fill(0)
    assert {0, -1} & (bench.buys.keys() | bench.sells.keys()) == {0, -1}
    assert bench.asked[Side.BUY] <= 15 + 30


def test_an_unknown_reason_is_about_certain_levels_once_another_level_is_accepted() -> None:
    """F47: a freed level waits for the next try at most, not for the reason to end."""
    bench = Refusing(OrderRejected("some rule", venue_code="-4999"), below=985)
    bench.start(1004)
    bench.pass_time(600)
    bench.fill(0)
    bench.fill(0)
    bench.pass_time(301)
    assert 0 in bench.buys
    assert any("-4999" in one for one in problems(bench.engine, bench.now))


def test_a_reduce_only_refusal_is_compared_and_reported() -> None:
    """F19 F47: the venue has nothing to reduce; the position is compared, and the exit waits."""
    bench = Refusing(ReduceOnlyRefused("nothing to reduce", venue_code="-2022"), only=Side.SELL)
    bench.start(1004)
    bench.fill(0)
    bench.pass_time(HOUR_S)
    assert bench.asked[Side.SELL] <= 80
    assert any("-2022" in one for one in problems(bench.engine, bench.now))
