"""The campaign against the market maker: short in every run of the tests, at full length by `make chaos-maker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.campaign.compare import differences
from tests.chaos.campaign.run import Settings, campaign
from tests.service.grid_rig import Ledger, simulator


@pytest.mark.timeout(900)
async def test_a_grid_under_faults_and_kills_ends_with_the_ledgers_figures(tmp_path: Path) -> None:
    """F1 F6 F8 F9: no order is doubled or left, no fill is lost, and what is open is what the grid wants."""
    settings = Settings(maker_kills=3, connector_kills=1, kill_every_s=(0.5, 2.0), fault_every_s=0.5, funding_every_s=2)
    outcome = await campaign(settings, tmp_path)
    assert outcome.differences == []
    assert outcome.faults > 0
    assert outcome.figures["fills"] > 0
    assert len(outcome.recovery_s["maker"]) == 3


def status(**changes: Any) -> dict[str, Any]:
    """Return the status of a grid of two levels below 100 that holds one coin at 95, bought at the first of them."""
    held = {"level": -1, "quantity": "1"}
    orders = [
        {"client_order_id": "a", "level": -2, "side": "BUY", "quantity": "1", "filled_quantity": "0"},
        {"client_order_id": "b", "level": -1, "side": "SELL", "quantity": "1", "filled_quantity": "0"},
    ]
    whole = {"anchor": "100", "price": "96", "slots": [held], "open_orders": orders, "strategy_id": "SQ1"}
    return {**whole, "problems": [], "position": "0", "fees": "0", "realized_pnl": "0", **changes}


GRID = {"price_interval": "5", "buy_window_size": "2", "sell_window_size": "5", "grid_mode": "long"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"problems": ["stale"]}, "problem: stale"),
        (
            {"slots": [{"level": 3, "quantity": "0", "state": "PENDING"}]},
            "levels whose order is of unknown outcome: [3]",
        ),
        ({"position": "1"}, "position 1, the venue holds 0"),
        ({"fees": "0.1"}, "fees 0.1, the venue took 0"),
        ({"open_orders": []}, "levels without their entry: [-2]"),
        ({"open_orders": []}, "level -1 holds 1 and offers None"),
        ({"slots": []}, "exits of levels that hold nothing: [-1]"),
        ({}, "orders that are not at the venue: ['a', 'b']"),
    ],
)
async def test_each_difference_is_found(changes: dict[str, Any], found: str) -> None:
    """The comparison can fail: a status that the ledger and the rules do not explain is described."""
    async with simulator() as sim:
        seen = differences(Ledger(sim), [], status(**changes), GRID)
    assert any(one.startswith(found) for one in seen), seen
