"""The token bucket, by a clock of the test's own."""

from __future__ import annotations

import random

from opensqt.service.token_bucket import TokenBucket


def test_a_burst_is_the_capacity_and_no_more() -> None:
    bucket = TokenBucket(rate=1, capacity=3, filled_at=100)
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]


def test_tokens_come_back_at_the_rate() -> None:
    bucket = TokenBucket(rate=2, capacity=2, filled_at=100)
    assert bucket.take(100, 2)
    assert (bucket.take(100.4), bucket.take(100.5), bucket.take(100.5)) == (False, True, False)


def test_an_idle_bucket_saves_up_no_more_than_its_capacity() -> None:
    bucket = TokenBucket(rate=1, capacity=2, filled_at=0)
    bucket.take(0, 2)
    assert bucket.available(1_000_000) == 2


def test_what_does_not_suffice_is_left() -> None:
    bucket = TokenBucket(rate=1, capacity=5, filled_at=0)
    bucket.take(0, 2)
    assert not bucket.take(0, 4)
    assert bucket.available(0) == 3


def test_looking_takes_nothing() -> None:
    bucket = TokenBucket(rate=1, capacity=5, filled_at=0)
    assert [bucket.available(0), bucket.available(0)] == [5, 5]


def test_in_the_long_run_the_rate_and_one_burst_are_never_exceeded() -> None:
    draw = random.Random(1)
    bucket = TokenBucket(rate=3, capacity=10, filled_at=0)
    now, taken = 0.0, 0
    for _ in range(10_000):
        now += draw.expovariate(30)
        taken += bucket.take(now)
        assert taken <= 10 + 3 * now + 1e-6
    assert taken > 3 * now - 10


def test_a_rate_that_is_changed_holds_from_then_on() -> None:
    bucket = TokenBucket(rate=1, capacity=1, filled_at=0)
    bucket.take(0)
    bucket.rate, bucket.capacity = 10, 10
    assert (bucket.take(0.05), bucket.take(0.1)) == (False, True)
