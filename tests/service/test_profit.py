"""The profit of a market maker is the change of the account's equity, part by part, as the venue's ledger has it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.store import Store
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from opensqt.simulator.settings import AccountSettings
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator
from tests.support import eventually

EXACT = Decimal("0.000001")
"""The simulator rounds shares of a cost to eight places."""


def pay_funding(sim: Simulator, rate: str) -> None:
    sim.engine.set_funding_rate(SYMBOL, Decimal(rate))
    sim.engine.pay_funding()


def differences(status: dict[str, Any], account: dict[str, Any], deposit: Decimal) -> dict[str, Decimal]:
    """What each part of the profit on /status is away from the ledger, and the sum from the change of equity."""
    profit, (held,) = status["profit"], [one for one in account["positions"] if one["symbol"] == SYMBOL]
    parts = {name: Decimal(profit[name]) for name in ("realized", "venue_made", "by_hand", "fees", "funding")}
    mark, position = Decimal(held["mark_price"]), Decimal(profit["position"])
    entry = Decimal(profit["entry_price"] or 0)
    open_profit = position * (mark - entry)
    equity = Decimal(account["wallet_balance"]) + Decimal(account["unrealized_pnl"]) - deposit
    total = parts["realized"] + parts["venue_made"] + parts["by_hand"] - parts["fees"] + parts["funding"] + open_profit
    return {
        "position": position - Decimal(held["quantity"]),
        "realized": parts["realized"] + parts["venue_made"] + parts["by_hand"] - Decimal(account["realized_pnl"]),
        "open": open_profit - Decimal(account["unrealized_pnl"]),
        "fees": parts["fees"] - Decimal(account["fees"]),
        "funding": parts["funding"] - Decimal(account["funding"]),
        "equity": total - equity,
    }


async def agrees(maker: MarketMaker, ledger: Ledger) -> bool:
    found = differences(maker.status(), ledger.account, ledger.deposit)
    return all(abs(difference) < EXACT for difference in found.values())


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
        await stored_equals(tmp_path / "grid.db", ledger)


async def stored_equals(database: Path, ledger: Ledger) -> None:
    """Compare the tables with the ledger."""
    store = await Store.open(f"sqlite:///{database}")
    stored, paid = await store.load(SYMBOL), await store.funding(SYMBOL)
    fills = await store.fills(SYMBOL)
    await store.close()
    kept, account = stored.accounting.ledger, ledger.account
    assert kept is not None
    assert sum(payment.amount for payment in paid) == kept.funding == Decimal(account["funding"])
    assert sum(counted.fees_value or 0 for counted in fills) == kept.fees_value == Decimal(account["fees"])
    realized = sum(counted.average_profit or 0 for counted in fills)
    assert abs(realized - Decimal(account["realized_pnl"])) < EXACT


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
