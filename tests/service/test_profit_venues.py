"""The profit on each venue: its own way to report fills, fees and funding leads to the same sum."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.market_maker.orders.events import TakeVenue
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator
from tests.service.profit_rig import differences, is_exact, pay_funding, stored_equals
from tests.support import eventually
from tests.support.blocking import in_thread

MADE = {
    "binance": ("adl", "settlement"),
    "bitget": ("adl",),
    "bybit": ("adl", "settlement"),
    "gate": ("adl", "insurance", "settlement"),
    "okx": ("adl",),
}
"""The trades that each venue makes itself, besides liquidations."""


@pytest.mark.parametrize("venue", ["bitget", "bybit", "gate", "okx"])
async def test_the_parts_are_those_of_the_ledger_on_every_venue(tmp_path: Path, venue: str) -> None:
    """F36 F50: with funding while it runs and while it does not, a trade by hand, and a restart."""
    async with simulator(exchange=venue) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db"):
            await eventually(lambda: len(ledger.account["fills"]) >= 5)
            pay_funding(sim, "0.0002")
        pay_funding(sim, "-0.0003")
        ledger.place(Side.BUY)
        ledger.place(Side.SELL)
        async with running(sim, tmp_path / "grid.db") as maker:
            sim.market.pause(SYMBOL)
            await eventually(lambda: is_exact(differences(maker.status(), ledger)), what="status and ledger agree")
            assert maker.status()["profit"]["foreign_fills"] == 2
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)


def close(sim: Simulator, why: str, quantity: str | None = None) -> int:
    """Have the venue close the position, or a part of it; returns the HTTP status. Blocking."""
    body = json.dumps({"symbol": SYMBOL, "why": why, "quantity": quantity}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{sim.url}/_sim/close", body), timeout=10) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
    return status


@pytest.mark.parametrize("venue", MADE)
async def test_trades_that_the_venue_makes_are_counted_as_what_they_are(tmp_path: Path, venue: str) -> None:
    """F48 F50: deleveraged, settled, taken over: on the stream and at the next start, to the cent of the ledger."""
    async with simulator(exchange=venue) as sim:
        ledger = Ledger(sim)
        for number, why in enumerate(MADE[venue]):
            async with running(sim, tmp_path / "grid.db", reconcile_interval="0.5") as maker:
                await eventually(lambda: ledger.position >= Decimal("0.004"), what="something is held")
                sim.market.pause(SYMBOL)
                await eventually(lambda: is_exact(differences(maker.status(), ledger)), what="status and ledger agree")
                assert await in_thread(close, sim, why, "0.002") == 200
                await eventually(lambda: is_exact(differences(maker.status(), ledger)), what=f"{why} is counted")
                await eventually(lambda: maker.engine.halt_reason, what="the levels explain more than is held")
                await maker.handled(TakeVenue(preview=False))
                assert set(maker.status()["venue_made"]) == {one.upper() for one in MADE[venue][: number + 1]}
            # What happens while no process runs is found by the next one.
            assert await in_thread(close, sim, why) == 200
            assert ledger.position == 0
            async with running(sim, tmp_path / "grid.db", reconcile_interval="0.5") as maker:
                await eventually(lambda: is_exact(differences(maker.status(), ledger)), what=f"{why} is found")
                await eventually(lambda: maker.engine.halt_reason, what="the levels explain more than is held")
                await maker.handled(TakeVenue(preview=False))
            sim.market.resume(SYMBOL)
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)
        unknown = {"adl", "insurance", "settlement"} - {*MADE[venue]}
        assert [await in_thread(close, sim, why) for why in sorted(unknown)] == [400] * len(unknown)
