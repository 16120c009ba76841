"""The start waits when the venue asks for it, and no longer than anybody would."""

from __future__ import annotations

import pytest

from opensqt.model.errors import CredentialsRefused, ExchangeError, Maintenance, RateLimited, Unreachable
from opensqt.venues.transport.retry import retry_start_step


class Step:
    """Fails with each of *errors* in turn, then is done; time passes only by waiting."""

    def __init__(self, *errors: ExchangeError) -> None:
        self.errors = list(errors)
        self.waits: list[float] = []
        self.now_s = 0.0

    async def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds

    async def run(self) -> None:
        await retry_start_step(self, at_most_s=100, clock_s=lambda: self.now_s, sleep=self.sleep)


async def test_a_step_is_taken_again_after_the_wait_that_the_venue_asks_for() -> None:
    """F16: a process that ended instead would be started again at once, and ask again."""
    step = Step(RateLimited("limit", retry_after_s=30), Maintenance("overloaded"))
    await step.run()
    assert step.waits == [30, 1]
    assert not step.errors


async def test_waits_without_a_time_grow() -> None:
    step = Step(*[Maintenance("overloaded")] * 6)
    await step.run()
    assert step.waits == [0.5, 1, 2, 4, 8, 15]


async def test_a_wait_that_would_be_over_too_late_is_not_begun() -> None:
    step = Step(RateLimited("limit", retry_after_s=60), RateLimited("limit", retry_after_s=60))
    with pytest.raises(RateLimited):
        await step.run()
    assert step.waits == [60]


async def test_a_lost_answer_is_asked_for_again() -> None:
    step = Step(*[Unreachable("no answer")] * 2)
    await step.run()
    assert step.waits == [0.5, 1]


async def test_a_venue_that_is_not_there_ends_the_start() -> None:
    step = Step(*[Unreachable("no answer")] * 5)
    with pytest.raises(Unreachable):
        await step.run()
    assert step.waits == [0.5, 1]


async def test_any_other_failure_ends_the_start_at_once() -> None:
    step = Step(CredentialsRefused("no such key"))
    with pytest.raises(CredentialsRefused):
        await step.run()
    assert step.waits == []
