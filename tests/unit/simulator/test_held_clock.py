"""A market that waits for its start signal, so that a short recording is not over before anybody looks."""

from __future__ import annotations

from decimal import Decimal

from opensqt.simulator.clock import SimulatorClock


def test_a_held_clock_stands_until_released_and_then_runs_from_there() -> None:
    wall = [1_000]
    clock = SimulatorClock(start_ms=50, speed=Decimal(10), held=True, wall_ms=lambda: wall[0])
    wall[0] += 7_000
    assert clock.market_ms() == 50
    clock.release()
    wall[0] += 3
    assert clock.market_ms() == 80


def test_the_server_clock_of_a_held_market_runs() -> None:
    wall = [1_000]
    clock = SimulatorClock(start_ms=50, held=True, wall_ms=lambda: wall[0])
    wall[0] += 5
    assert clock.server_ms() == 1_005


def test_releasing_twice_does_not_turn_time_back() -> None:
    wall = [1_000]
    clock = SimulatorClock(start_ms=50, held=True, wall_ms=lambda: wall[0])
    clock.release()
    wall[0] += 9
    clock.release()
    assert clock.market_ms() == 59
