"""Compares the profit that a market maker reports and stores with the venue's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from opensqt.market_maker.store.store import Store
from opensqt.simulator import Simulator
from tests.service.grid_rig import SYMBOL, Ledger

EXACT = Decimal("0.000001")
"""The simulator rounds shares of a cost to eight places."""


def pay_funding(sim: Simulator, rate: str) -> None:
    sim.engine.set_funding_rate(SYMBOL, Decimal(rate))
    sim.engine.pay_funding()


def differences(status: dict[str, Any], ledger: Ledger) -> dict[str, Decimal]:
    """What each part of the profit on /status is away from the ledger, and the sum from the change of equity."""
    account, profit = ledger.account, status["profit"]
    held = [one for one in account["positions"] if one["symbol"] == SYMBOL]
    parts = {name: Decimal(profit[name]) for name in ("realized", "venue_made", "by_hand", "fees", "funding", "total")}
    # The page's mark may be a moment older than the ledger's.
    position = Decimal(profit["position"])
    moved = position * (Decimal(held[0]["mark_price"]) - Decimal(profit["mark"]))
    equity = Decimal(account["wallet_balance"]) + Decimal(account["unrealized_pnl"]) - ledger.deposit
    return {
        "position": position - ledger.position,
        "realized": parts["realized"] + parts["venue_made"] + parts["by_hand"] - Decimal(account["realized_pnl"]),
        "open": Decimal(profit["open"]) + moved - Decimal(account["unrealized_pnl"]),
        "fees": parts["fees"] - Decimal(account["fees"]),
        "funding": parts["funding"] - Decimal(account["funding"]),
        "equity": parts["total"] + moved - equity,
    }


def is_exact(found: Mapping[str, Decimal]) -> bool:
    """Whether no part is away from the ledger by more than what it rounds."""
    return all(abs(difference) < EXACT for difference in found.values())


async def stored_equals(url: str, ledger: Ledger) -> None:
    """Compare the tables with the ledger."""
    store = await Store.open(url)
    stored, paid = await store.load(SYMBOL), await store.funding(SYMBOL)
    fills, foreign = await store.fills(SYMBOL), await store.foreign_fills(SYMBOL)
    await store.close()
    kept, account = stored.accounting.ledger, ledger.account
    assert kept is not None
    assert sum(payment.amount for payment in paid) == kept.funding == Decimal(account["funding"])
    assert sum(counted.fees_value or 0 for counted in (*fills, *foreign)) == kept.fees_value == Decimal(account["fees"])
    realized = sum(counted.average_profit or 0 for counted in (*fills, *foreign))
    assert abs(realized - Decimal(account["realized_pnl"])) < EXACT
