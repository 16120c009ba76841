"""The profit of a market maker is the change of the account's equity, part by part, as the venue's ledger has it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from opensqt.market_maker.service import MarketMaker
from opensqt.model.order import Side
from opensqt.simulator.settings import AccountSettings
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator
from tests.service.profit_rig import differences, is_exact, pay_funding, stored_equals
from tests.support import eventually


async def agrees(maker: MarketMaker, ledger: Ledger) -> bool:
    return is_exact(differences(maker.status(), ledger))


async def test_the_parts_are_those_of_the_ledger_with_funding_and_over_restarts(tmp_path: Path) -> None:
    """F36 F50: realized, open, fees, funding and their sum, while it runs, after restarts, and in the store."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        for restart, rate in enumerate(("0.0001", "-0.0002", "0.0003")):
            async with running(sim, tmp_path / "grid.db") as maker:
                await eventually(lambda wanted=8 * (restart + 1): len(ledger.account["fills"]) >= wanted)
                pay_funding(sim, rate)
                sim.market.pause(SYMBOL)
                await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")
                profit = maker.status()["profit"]
            # What is paid while no process runs is found by the next one.
            pay_funding(sim, rate)
            sim.market.resume(SYMBOL)
        async with running(sim, tmp_path / "grid.db") as maker:
            sim.market.pause(SYMBOL)
            await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")
            funding = maker.status()["funding"]
        assert funding["payments"] == len([one for one in ledger.account["funding_payments"] if one["amount"] != "0"])
        assert Decimal(profit["round_trips"]) + Decimal(profit["levels"]) == Decimal(profit["realized"]) + Decimal(
            profit["open"]
        )
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)


async def test_a_liquidation_is_counted_as_what_it_is_and_over_a_restart(tmp_path: Path) -> None:
    """F50: the venue closes the position at a loss; the loss is a part of the profit, and not 0."""
    small = AccountSettings(balance=Decimal(150))
    async with simulator(accounts=(small,)) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", position_safety_check="1", reconcile_interval="0.3") as maker:
            await eventually(lambda: ledger.position > Decimal("0.004"))
            sim.market.pause(SYMBOL)
            sim.engine.set_mark(SYMBOL, Decimal(1))
            assert ledger.position == 0
            await eventually(lambda: agrees(maker, ledger), what="the liquidation is counted")
            loss = maker.status()["venue_made"]
        async with running(sim, tmp_path / "grid.db", position_safety_check="1") as maker:
            await eventually(lambda: agrees(maker, ledger), what="the liquidation is still counted")
            assert maker.status()["venue_made"] == loss
        assert set(loss) == {"LIQUIDATION"}


async def test_a_trade_by_hand_is_counted_as_what_it_is(tmp_path: Path) -> None:
    """F50: the sum is the change of equity still, and the grid's own part has none of it."""
    async with simulator() as sim, running(sim, tmp_path / "grid.db", reconcile_interval="0.3") as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.account["fills"]) >= 5 and ledger.position > Decimal("0.004"))
        sim.market.pause(SYMBOL)
        ledger.place(Side.SELL, quantity="0.002")
        await eventually(lambda: agrees(maker, ledger), what="the trade by hand is counted")
        assert maker.status()["profit"]["foreign_fills"] == 1
