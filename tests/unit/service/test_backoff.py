"""Delays between attempts."""

from __future__ import annotations

import random

import pytest

from opensqt.service.backoff import Backoff, BackoffTimer, KeyedBackoff, exponential_s


def test_without_jitter_the_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(0.5, 15, jitter=None)
    assert [backoff.next_s() for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]


def test_full_jitter_draws_from_zero_to_the_exponential_delay() -> None:
    drawn = iter([0.0, 0.5, 1.0, 0.25])
    backoff = Backoff(1, 60, jitter=lambda: next(drawn))
    assert [backoff.next_s() for _ in range(4)] == [0, 1, 4, 2]


def test_the_same_generator_gives_the_same_delays() -> None:
    first, second = (Backoff(1, 60, jitter=random.Random(7).random) for _ in range(2))
    assert [first.next_s() for _ in range(20)] == [second.next_s() for _ in range(20)]


def test_two_series_that_fail_together_do_not_come_back_together() -> None:
    first, second = Backoff(1, 60), Backoff(1, 60)
    assert [first.next_s() for _ in range(10)] != [second.next_s() for _ in range(10)]


def test_a_delay_that_the_other_side_asks_for_is_the_least() -> None:
    """F16: Retry-After is obeyed, whatever the jitter draws."""
    backoff = Backoff(1, 60, jitter=lambda: 0.0)
    assert [backoff.next_s(at_least_s=30), backoff.next_s(at_least_s=None), backoff.next_s()] == [30, 0, 0]


def test_a_success_begins_a_new_series() -> None:
    backoff = Backoff(1, 60, jitter=None)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert (backoff.failures, backoff.next_s()) == (0, 1)


@pytest.mark.parametrize("failures", [100, 5_000, 10**9])
def test_an_outage_without_end_keeps_the_cap(failures: int) -> None:
    assert exponential_s(failures, 0.05, 60) == 60


def test_a_timer_blocks_until_its_delay_is_over() -> None:
    timer = BackoffTimer(base_s=1, cap_s=4)
    assert [timer.record_failure(now) for now in (10, 20, 30, 40)] == [1, 2, 4, 4]
    assert timer.until == 44
    timer.reset()
    assert (timer.until, timer.failures) == (0, 0)


def test_a_timer_blocks_for_at_least_what_is_asked_for() -> None:
    timer = BackoffTimer(base_s=1, cap_s=4)
    assert timer.record_failure(10, at_least_s=30) == 30
    assert timer.until == 40


def test_each_key_has_a_back_off_of_its_own() -> None:
    keys = KeyedBackoff[str](base_s=1, cap_s=60)
    keys.record_failure("a", 0)
    keys.record_failure("b", 0)
    keys.record_failure("b", 1)
    assert (keys.blocked(0.5), keys.blocked(2), keys.blocked(3)) == ({"a", "b"}, {"b"}, set())
    assert (keys.next_due(0.5), keys.next_due(1), keys.next_due(3)) == (1, 3, float("inf"))


def test_a_key_that_succeeds_is_forgotten() -> None:
    keys = KeyedBackoff[str](base_s=1, cap_s=60)
    keys.record_failure("a", 0)
    assert set(keys.failing) == {"a"}
    keys.reset("a")
    keys.reset("never failed")
    assert not keys.failing
    assert keys.record_failure("a", 0) == 1
