"""The worker that times the market maker's decisions: what it measures is what the page on benchmarks says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.checkout import HERE, checkout
from benchmarks.engine.suite import THIS, check_same, worker
from benchmarks.engine.worker import BUILD, Run, price
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


def test_a_step_that_is_no_step_is_not_measured() -> None:
    """A price event that leads to no order ends the worker: its time would pass for that of a decision."""
    run = Run(20)
    run.lay()
    with pytest.raises(RuntimeError, match="placed 0 and cancelled 0"):
        run.timed(BUILD.price(price(run.at)), placed=1, canceled=1)


def test_builds_that_hold_other_orders_are_not_compared() -> None:
    """The orders of two builds are compared after each measurement: what does less work is no faster."""
    with worker(HERE) as ours, worker(HERE) as other:
        for build in (ours, other):
            assert len(build.ask("lay", 20)) == 1
        check_same({THIS: ours, "other": other}, 20)
        ours.ask("step", 20, 1)
        with pytest.raises(RuntimeError, match="other orders are live in other"):
            check_same({THIS: ours, "other": other}, 20)


def test_the_engine_of_the_named_build_is_measured(tmp_path: Path) -> None:
    """A folder whose sources were not imported is refused: this build would be measured in its place."""
    with pytest.raises(RuntimeError, match="was measured for that of"), worker(tmp_path):
        pass


def test_another_build_is_a_folder_or_a_commit(tmp_path: Path) -> None:
    """`--other` takes a folder with `src` in it as it is, unpacks a commit, and refuses anything else."""
    (tmp_path / "src").mkdir()
    with checkout(str(tmp_path)) as folder:
        assert folder == tmp_path
    with checkout("HEAD") as folder:
        assert (folder / "src" / "opensqt" / "market_maker" / "engine.py").is_file()
    assert not folder.exists()
    with pytest.raises(SystemExit, match="neither a folder"), checkout("no-such-build"):
        pass
