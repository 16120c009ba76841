"""Holes, sweeps and flash moves: what the book shows meanwhile, that the mark stays, and that they end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.order import Side
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings

SYMBOL = "BTCUSDT"
FAR = Decimal("0.02")


@pytest.fixture
def market() -> Market:
    return open_market(SimulatorSettings(seed=7, clock="manual", start_ms=1_700_000_000_000))


def spread(market: Market) -> Decimal:
    """Spread as a share of the mark."""
    best = market.engine.best(SYMBOL)
    return (best.ask - best.bid) / market.engine.mark(SYMBOL).mark_price


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("paused", [False, True])
def test_a_hole_takes_one_side_away_and_ends_by_itself(market: Market, side: Side, paused: bool) -> None:
    """The best quote of one side is 2 % away for half a second, the other side and the mark stay."""
    mark = market.engine.mark(SYMBOL).mark_price
    if paused:
        market.pause(SYMBOL)
    market.open_hole(SYMBOL, side, FAR, 500)
    assert Decimal("0.019") < spread(market) < Decimal("0.021")
    market.advance(400)
    assert spread(market) > Decimal("0.019")
    other = market.engine.best(SYMBOL).ask if side is Side.BUY else market.engine.best(SYMBOL).bid
    assert abs(other / mark - 1) < Decimal("0.003")
    assert abs(market.engine.mark(SYMBOL).mark_price / mark - 1) < Decimal("0.003")
    market.advance(300)
    assert spread(market) < Decimal("0.001")


def test_a_hole_leaves_the_orders_of_accounts_in_the_book(market: Market) -> None:
    """In a hole the best quote is our own."""
    best = market.engine.best(SYMBOL)
    order = NewOrder(symbol=SYMBOL, side=Side.SELL, quantity=Decimal("0.001"), price=best.ask + 3)
    market.engine.place("sim-key", order)
    market.open_hole(SYMBOL, Side.SELL, FAR, 500)
    assert market.engine.best(SYMBOL).ask == best.ask + 3


def test_a_sweep_trades_up_to_its_distance_at_once_and_the_side_is_quoted_again(market: Market) -> None:
    """A large order takes a side; the mark stays."""
    before = market.engine.best(SYMBOL)
    assert market.sweep(SYMBOL, Side.BUY, Decimal("0.001")) > 0
    trades = market.engine.trades(SYMBOL)
    assert trades[-1].price > before.ask
    assert trades[-1].price <= before.ask * Decimal("1.001")
    market.advance(300)
    assert spread(market) < Decimal("0.001")


def test_a_sweep_can_leave_its_side_empty_for_a_time(market: Market) -> None:
    """After the sweep nobody quotes there until the time is over."""
    market.sweep(SYMBOL, Side.SELL, FAR, 500)
    market.advance(300)
    assert spread(market) > Decimal("0.019")
    market.advance(400)
    assert spread(market) < Decimal("0.001")


@pytest.mark.parametrize("side", list(Side))
def test_a_flash_move_leaves_the_mark_where_it_was_and_comes_back(market: Market, side: Side) -> None:
    """Book and trades are 2 % away, the mark is not."""
    mark = market.engine.mark(SYMBOL).mark_price
    market.flash_move(SYMBOL, side, FAR, 500)
    for _ in range(2):
        away = market.engine.best(SYMBOL).bid / market.engine.mark(SYMBOL).mark_price - 1
        assert Decimal("0.018") < away * side.sign < Decimal("0.022")
        assert abs(market.engine.mark(SYMBOL).mark_price / mark - 1) < Decimal("0.003")
        market.advance(200)
    market.advance(400)
    assert abs(market.engine.best(SYMBOL).bid / market.engine.mark(SYMBOL).mark_price - 1) < Decimal("0.001")


def test_a_distance_or_time_out_of_range_is_refused(market: Market) -> None:
    """A bad disturbance is refused before anything happens."""
    before = market.engine.best(SYMBOL)
    with pytest.raises(ValueError, match=r"distance 0\.5: expected above 0 and below 0\.5"):
        market.open_hole(SYMBOL, Side.BUY, Decimal("0.5"), 500)
    with pytest.raises(ValueError, match="for_ms -1: expected zero or above"):
        market.flash_move(SYMBOL, Side.BUY, FAR, -1)
    assert market.engine.best(SYMBOL) == before
