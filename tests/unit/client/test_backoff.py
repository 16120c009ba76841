"""How attempts to reach a connector are counted."""

from __future__ import annotations

import pytest

from opensqt.client import backoff
from opensqt.client.backoff import Reconnect, RetryPolicy
from opensqt.model.errors import Unreachable


class Clock:
    """Stands in for the `time` module."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


async def reached() -> None:
    """A connector that responds."""


async def outages(clock: Clock, *, times: int, every_s: float) -> list[str]:
    recovery = Reconnect("localhost:1", RetryPolicy(scale=0), reached)
    answers = []
    for _ in range(times):
        clock.now += every_s
        answers.append(await recovery.wait(Unreachable("gone")))
    return answers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(backoff, "time", clock)
    return clock


async def test_a_connector_that_comes_back_from_every_outage_is_never_given_up(clock: Clock) -> None:
    assert await outages(clock, times=40, every_s=30) == [""] * 40


async def test_a_connector_that_is_gone_again_at_once_is_given_up_after_ten_attempts(clock: Clock) -> None:
    assert await outages(clock, times=10, every_s=0.1) == [""] * 9 + ["gone"]
