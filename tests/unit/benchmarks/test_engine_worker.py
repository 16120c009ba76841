"""The worker that times the market maker's decisions: what it measures is what the page on benchmarks says."""

from __future__ import annotations

from benchmarks.engine.worker import Run
from opensqt.model.order import Side


def test_it_lays_a_grid_moves_it_by_a_level_and_fills_it() -> None:
    """Twenty buys and twenty offers; a step places and cancels one; a fill turns a buy into an offer and back."""
    run = Run(20)
    run.lay()
    sides = [order.side for order in run.orders.values()]
    assert (sides.count(Side.BUY), sides.count(Side.SELL)) == (20, 20)
    before = set(run.orders)
    run.step()
    assert len(run.orders) == 40
    assert len(before - set(run.orders)) == 1
    run.fill()
    assert [order.side for order in run.orders.values()].count(Side.SELL) == 21
    run.fill()
    assert len(run.orders) == 40
