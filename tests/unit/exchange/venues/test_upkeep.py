"""The checks, the background tasks and the endless upstream."""

from __future__ import annotations

import asyncio

import ccxt
import pytest

from opensqt.exchange.venues.health import Health, Tasks
from opensqt.exchange.venues.upstream import Upstream
from tests.support import eventually


def test_a_check_keeps_the_time_of_its_last_change() -> None:
    health = Health("binance")
    health.set("venue", False, "one")
    (first,) = health.status().checks
    health.set("venue", False, "two")
    (second,) = health.status().checks
    assert (second.reason, second.since_ms) == ("two", first.since_ms)
    assert not health.status().healthy


async def test_a_task_that_dies_turns_its_check_red() -> None:
    """F31."""
    health = Health("binance")
    tasks = Tasks(health)

    async def dies() -> None:
        raise RuntimeError("no more")

    tasks.start("clock", dies())
    await eventually(lambda: not health.status().healthy)
    assert health.status().checks[0].name == "task:clock"
    await tasks.close()


async def test_stopping_a_task_is_no_failure() -> None:
    health = Health("binance")
    tasks = Tasks(health)
    tasks.start("clock", asyncio.Event().wait())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await tasks.close()
    assert health.status().checks == ()


async def test_an_upstream_that_ends_is_started_again_and_catches_up_each_time() -> None:
    """F6."""
    starts: list[str] = []
    reasons: list[str] = []

    async def watch() -> None:
        starts.append("watch")
        raise ccxt.NetworkError("cut")

    async def catch_up() -> None:
        starts.append("catch up")

    upstream = Upstream("price", watch, lost=reasons.append, catch_up=catch_up)
    running = asyncio.create_task(upstream.run())
    await eventually(lambda: len(reasons) >= 3)
    running.cancel()
    assert starts.count("catch up") >= 3
    assert set(reasons) == {"cut"}


async def test_an_error_that_is_no_failure_of_the_network_is_not_swallowed() -> None:
    async def watch() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Upstream("price", watch, lost=lambda _reason: None).run()
