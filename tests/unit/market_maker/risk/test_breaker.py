"""The circuit breaker: what opens it, and what closes it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.risk.breaker import CircuitBreaker
from opensqt.market_maker.risk.settings import BreakerLimits

SETTINGS = BreakerLimits(
    losses_in_a_row=3,
    drawdown=Decimal("0.1"),
    drawdown_window_s=600,
    latency_ms=1000,
    reject_rate=Decimal("0.5"),
    window_s=60,
    least_orders=4,
    cool_down_s=300,
)


def test_losses_in_a_row_open_it_and_a_profit_begins_the_count_anew() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for number, profit in enumerate((-1, -1, 2, -1, -1)):
        breaker.on_exit(f"exit{number}", Decimal(profit), 0)
    assert not breaker.is_open
    breaker.on_exit("exit5", Decimal(-1), 0)
    assert breaker.reason == "3 exits in a row lost (losses_in_a_row 3)"


def test_the_fills_of_one_exit_count_once() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(10):
        breaker.on_exit("one", Decimal(-1), 0)
    assert breaker.losses == 1


def test_a_drawdown_within_the_window_opens_it_and_a_slower_one_does_not() -> None:
    slow = CircuitBreaker(SETTINGS)
    for minute, equity in enumerate(range(1000, 500, -10)):
        slow.on_equity(Decimal(equity), minute * 120_000)
    assert not slow.is_open
    fast = CircuitBreaker(SETTINGS)
    fast.on_equity(Decimal(1000), 0)
    fast.on_equity(Decimal(900), 300_000)
    assert not fast.is_open
    fast.on_equity(Decimal(899), 500_000)
    assert fast.reason == "equity fell from 1000.00 to 899.00 within 10 minutes (drawdown 0.1)"


def test_slow_orders_open_it_and_one_slow_order_does_not() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for milliseconds in (50, 60, 90_000, 70):
        breaker.on_latency(milliseconds, 0)
    assert not breaker.is_open
    for milliseconds in (2000, 3000):
        breaker.on_latency(milliseconds, 1000)
    assert breaker.reason == "orders take 1035 ms (latency_ms 1000)"


def test_many_refusals_open_it_and_few_orders_say_nothing() -> None:
    breaker = CircuitBreaker(SETTINGS)
    breaker.on_outcome(False, 0)
    for _ in range(2):
        breaker.on_outcome(True, 0)
    assert not breaker.is_open
    breaker.on_outcome(True, 1000)
    assert breaker.reason == "3 of 4 orders refused (reject_rate 0.5)"


def test_an_order_that_is_taken_never_opens_it() -> None:
    """F47: the first orders after refusals that had ended made the count full, and stopped entries for 15 minutes."""
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(3):
        breaker.on_outcome(True, 0)
    for _ in range(9):
        breaker.on_outcome(False, 1000)
    assert not breaker.is_open


def test_refusals_of_a_while_ago_are_forgotten() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for second in range(0, 400, 50):
        breaker.on_outcome(True, second * 1000)
    assert not breaker.is_open


def test_it_closes_after_its_cool_down_and_begins_anew() -> None:
    breaker = CircuitBreaker(SETTINGS)
    breaker.on_equity(Decimal(1000), 0)
    breaker.on_equity(Decimal(500), 1000)
    assert breaker.open_until_ms == 301_000
    assert not breaker.on_time(300_999)
    assert breaker.on_time(301_000)
    breaker.on_equity(Decimal(499), 302_000)
    assert not breaker.is_open, "what opened it does not open it again"


def test_an_open_breaker_and_the_count_of_losses_survive_a_restart() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for number in range(2):
        breaker.on_exit(f"exit{number}", Decimal(-1), 0)
    again = CircuitBreaker(SETTINGS)
    again.restore(breaker.stored())
    again.on_exit("exit2", Decimal(-1), 5000)
    assert again.is_open
    third = CircuitBreaker(SETTINGS)
    third.restore(again.stored())
    assert (third.reason, third.open_until_ms, third.trips) == (again.reason, 305_000, 1)
    assert third.on_time(305_000)


@pytest.mark.parametrize("condition", ["losses_in_a_row", "drawdown", "latency_ms", "reject_rate"])
def test_zero_switches_a_condition_off(condition: str) -> None:
    zero = type(getattr(SETTINGS, condition))(0)
    breaker = CircuitBreaker(replace(SETTINGS, **{condition: zero}))
    events = {
        "losses_in_a_row": lambda: [breaker.on_exit(str(n), Decimal(-1), 0) for n in range(50)],
        "drawdown": lambda: [breaker.on_equity(Decimal(n), 0) for n in (1000, 1)],
        "latency_ms": lambda: [breaker.on_latency(10_000, 0) for _ in range(50)],
        "reject_rate": lambda: [breaker.on_outcome(True, 0) for _ in range(50)],
    }
    events[condition]()
    assert not breaker.is_open
