"""Retry of a start step: the delays that the venue requests, and the time limit."""

from __future__ import annotations

import pytest

from opensqt.model.errors import CredentialsRefused, ExchangeError, Maintenance, RateLimited, Unreachable
from opensqt.venues.transport.retry import retry_start_step


class Step:
    """Fails with each of *errors* in turn, then succeeds. Time passes only in its `sleep`."""

    def __init__(self, *errors: ExchangeError) -> None:
        self.errors = list(errors)
        self.delays: list[float] = []
        self.now_s = 0.0

    async def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.now_s += seconds

    async def run(self) -> None:
        await retry_start_step(self, timeout_s=100, clock_s=lambda: self.now_s, sleep=self.sleep)


async def test_a_step_is_retried_after_the_delay_that_the_venue_requests() -> None:
    """F16: a process that exited instead would be restarted at once, and send its requests again."""
    step = Step(RateLimited("limit", retry_after_s=30), Maintenance("overloaded"))
    await step.run()
    assert step.delays == [30, 1]
    assert not step.errors


async def test_delays_grow_where_the_venue_requests_none() -> None:
    step = Step(*[Maintenance("overloaded")] * 6)
    await step.run()
    assert step.delays == [0.5, 1, 2, 4, 8, 15]


async def test_a_delay_beyond_the_time_limit_is_not_begun() -> None:
    step = Step(RateLimited("limit", retry_after_s=60), RateLimited("limit", retry_after_s=60))
    with pytest.raises(RateLimited):
        await step.run()
    assert step.delays == [60]


async def test_a_step_is_retried_after_a_lost_response() -> None:
    step = Step(*[Unreachable("no response")] * 2)
    await step.run()
    assert step.delays == [0.5, 1]


async def test_a_third_lost_response_ends_the_start() -> None:
    step = Step(*[Unreachable("no response")] * 5)
    with pytest.raises(Unreachable):
        await step.run()
    assert step.delays == [0.5, 1]


async def test_any_other_failure_ends_the_start_at_once() -> None:
    step = Step(CredentialsRefused("no such key"))
    with pytest.raises(CredentialsRefused):
        await step.run()
    assert step.delays == []
