"""The two clocks."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.simulator.clock import SimulatorClock


def test_the_market_runs_at_its_speed_from_its_own_start():
    wall = [1_000_000]
    clock = SimulatorClock(start_ms=5_000, speed=Decimal(600), wall_ms=lambda: wall[0])
    wall[0] += 1_500
    assert clock.market_ms() == 5_000 + 900_000
    assert clock.server_ms() == 1_001_500


def test_a_live_market_shows_the_wall_clock():
    wall = [1_000_000]
    clock = SimulatorClock(wall_ms=lambda: wall[0])
    wall[0] += 7
    assert clock.market_ms() == clock.server_ms() == 1_000_007


def test_skew_moves_the_server_clock_only():
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    clock = SimulatorClock(wall_ms=lambda: 1_000)
    clock.skew_ms = -300
    assert (clock.server_ms(), clock.market_ms()) == (700, 1_000)


def test_a_manual_market_moves_only_when_advanced():
    wall = [1_000]
    clock = SimulatorClock(start_ms=50, manual=True, wall_ms=lambda: wall[0])
    wall[0] += 9_999
    assert clock.market_ms() == 50
    assert clock.advance(25) == 75


def test_market_time_never_goes_back():
    clock = SimulatorClock(manual=True)
    with pytest.raises(ValueError, match="advance_ms -1"):
        clock.advance(-1)


def test_another_speed_counts_from_now_on():
    wall = [1_000]
    clock = SimulatorClock(start_ms=50_000, wall_ms=lambda: wall[0])
    wall[0] += 1_000
    clock.set_speed(Decimal(20))
    assert clock.market_ms() == 51_000
    wall[0] += 100
    assert clock.market_ms() == 53_000
    clock.set_speed(Decimal(1))
    wall[0] += 5
    assert clock.market_ms() == 53_005


def test_a_manual_clock_has_no_speed():
    with pytest.raises(ValueError, match="a manual one moves only by advance_ms"):
        SimulatorClock(manual=True).set_speed(Decimal(2))
