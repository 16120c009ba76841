"""The market maker on the simulator, in this process: what it trades, counts and tells."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from opensqt.model.account import PositionMode
from opensqt.model.order import Side
from opensqt.simulator.faults import Fault
from tests.service.grid_rig import (
    ACCOUNT,
    SYMBOL,
    Ledger,
    one_order_a_level,
    plain,
    running,
    simulator,
    store_fills,
    unchanged_for_a_second,
)
from tests.support import eventually


async def test_the_store_equals_the_ledger(tmp_path: Path) -> None:
    """F6 F36: every fill of the account is in the store, once and exact."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.account["fills"]) >= 15)
            assert one_order_a_level(ledger.open_orders)
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.account["duplicate_client_order_ids"] == []


async def test_status_tells_what_the_ledger_holds(tmp_path: Path) -> None:
    """F36: fills, fees, position and realized profit are the account's, to the cent."""
    async with simulator() as sim, running(sim, tmp_path / "grid.db") as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.account["fills"]) >= 5)
        sim.market.pause(SYMBOL)

        def equal() -> bool:
            told, account = maker.status(), ledger.account
            exact = [told["fills"], told["fees"], told["position"]]
            same = exact == [len(account["fills"]), plain(account["fees"]), plain(str(ledger.position))]
            return same and _cents(told["realized_pnl"]) == _cents(account["realized_pnl"])

        await eventually(equal, what="status and ledger agree")


async def test_a_stop_cancels_own_orders_and_leaves_others(tmp_path: Path) -> None:
    """F30: the foreign order of the same account stays."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        foreign = ledger.place(Side.BUY, price=sim.engine.best(SYMBOL).bid - 1000)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.open_orders) > 5)
        assert [order["order_id"] for order in ledger.open_orders] == [foreign]


async def test_a_stop_that_may_not_cancel_leaves_the_orders_and_a_start_takes_them_up(tmp_path: Path) -> None:
    """F9: the same orders, the same anchor, nothing sent twice."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", cancel_on_exit=False) as first:
            await eventually(lambda: len(ledger.open_orders) >= 10)
            sim.market.pause(SYMBOL)
            await eventually(lambda: unchanged_for_a_second(sim, lambda: ledger.account["orders"]))
        before = {order["order_id"] for order in ledger.open_orders}
        async with running(sim, tmp_path / "grid.db", cancel_on_exit=False) as second:
            assert second.status()["anchor"] == first.status()["anchor"]
            assert {order["order_id"] for order in second.status()["open_orders"]} == before
        assert {order["order_id"] for order in ledger.open_orders} == before


async def test_a_position_without_explanation_stops_the_buys(tmp_path: Path) -> None:
    """F10: it is told, and no order is sent."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        ledger.place(Side.BUY)
        async with running(sim, tmp_path / "grid.db") as maker:
            assert "close the difference by hand" in maker.status()["halted"]
            assert any("halted" in problem for problem in maker.problems())
        assert [order for order in ledger.account["orders"] if order["client_order_id"].startswith("SQ1")] == []


async def test_a_found_position_is_laid_on_levels_when_asked_for(tmp_path: Path) -> None:
    async with simulator() as sim:
        ledger = Ledger(sim)
        ledger.place(Side.BUY)
        async with running(sim, tmp_path / "grid.db", adopt_position="levels") as maker:
            await eventually(lambda: any(order["side"] == "SELL" for order in ledger.open_orders))
            assert maker.status()["halted"] == ""


async def test_a_position_changed_from_outside_halts_a_running_grid_until_it_is_put_right(tmp_path: Path) -> None:
    """F10: halted while the difference lasts, trading again after it is gone."""
    async with simulator() as sim, running(sim, tmp_path / "grid.db", reconcile_interval="0.3") as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.open_orders) >= 5)
        sim.market.pause(SYMBOL)
        ledger.place(Side.BUY)
        await eventually(lambda: maker.status()["halted"])
        await eventually(lambda: not [order for order in ledger.open_orders if order["side"] == "BUY"])
        ledger.place(Side.SELL)
        await eventually(lambda: not maker.status()["halted"])


async def test_lost_frames_and_lost_replies_cost_no_fill(tmp_path: Path) -> None:
    """F1 F6: with replies dropped and frames missing, store and ledger are equal and nothing was sent twice."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db"):
            sim.faults.add(Fault(kind="drop_reply", on="place_order", times=0, probability=Decimal("0.1")))
            sim.faults.add(Fault(kind="drop_frames", channel="private", times=0, probability=Decimal("0.05")))
            await eventually(lambda: len(ledger.account["fills"]) >= 25)
            sim.faults.clear()
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()
        assert ledger.account["duplicate_client_order_ids"] == []
        assert ledger.open_orders == []


async def test_post_only_refusals_never_make_a_taker(tmp_path: Path) -> None:
    """F18: a fifth of the orders is refused while the price runs; every fill is a maker's."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        sim.faults.add(Fault(kind="refuse", on="place_order", code=-5022, times=0, probability=Decimal("0.2")))
        sim.faults.add(Fault(kind="refuse", on="batch_place", code=-5022, times=0, probability=Decimal("0.2")))
        async with running(sim, tmp_path / "grid.db"):
            for _ in range(6):
                before = len(ledger.account["fills"])
                sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal(3))
                await eventually(lambda seen=before: len(ledger.account["fills"]) > seen)
        assert all(fill["is_maker"] for fill in ledger.account["fills"])
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


async def test_it_trades_an_account_in_hedge_mode(tmp_path: Path) -> None:
    """F20: orders go to the long side, and its position is what the levels explain."""
    async with simulator() as sim:
        sim.engine.set_position_mode(ACCOUNT, PositionMode.HEDGE)
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db") as maker:
            await eventually(lambda: len(ledger.account["fills"]) >= 6)
            assert not maker.status()["halted"]
        assert {fill["position_side"] for fill in ledger.account["fills"]} == {"LONG"}
        assert await store_fills(tmp_path / "grid.db") == ledger.fills()


def _cents(number: str) -> str:
    return format(Decimal(number), ".2f")
