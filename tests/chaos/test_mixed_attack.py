"""Attack after attack on a connector that an honest client trades through: orders, memory and health hold.

How much later its orders are is measured by `python -m tests.chaos.attack`, not here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.attack.attackers import ATTACKS
from tests.chaos.attack.run import CALM, FULL_DISKS, KINDS, attack


@pytest.mark.timeout(3_600)
async def test_orders_memory_and_health_hold_under_every_attack(tmp_path: Path, large: bool) -> None:
    """F26, F31, F49: floods, watchers, idle connections, huge requests and full disks, each in turn.

    The ledger has no order that the client did not send, and none is left open. Memory grows by less than 50 MB.
    Health is SERVING but while the disk is full, when no order can be journaled, and it comes back after that.
    """
    calm_s, turn_s, rounds = (60, 20, 5) if large else (3, 3, 1)
    report = await attack("binance", tmp_path, calm_s=calm_s, turn_s=turn_s, rounds=rounds)
    assert (report.lost, report.strangers) == (set(), set())
    assert report.growth_mb < 50, report.memory_mb
    for kind in (CALM, *ATTACKS):
        assert set(report.health[kind]) == {"SERVING"}, kind
        assert report.placed_ms[kind], kind
        assert not report.refused[kind], report.refused[kind]
    assert set(report.attacks) == set(ATTACKS)
    assert min(report.attacks.values()) > 0, report.attacks
    assert report.health[FULL_DISKS]["NOT_SERVING"]
    assert report.refused[FULL_DISKS]
    assert set(KINDS) == {*ATTACKS, FULL_DISKS}
