"""The checks, the background tasks and the endless upstream."""

from __future__ import annotations

import asyncio

import ccxt
import pytest

from opensqt.model.client_context import INTERNAL, current_client, on_behalf_of
from opensqt.venues.health import BackgroundTasks, Health
from opensqt.venues.ratelimit import limiter as budget
from opensqt.venues.ratelimit.window import Lane
from opensqt.venues.transport.subscription import Subscription
from tests.support import eventually


async def forever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise RuntimeError("no more")


def test_a_check_keeps_the_time_of_its_last_change() -> None:
    health = Health("binance")
    health.set("venue", False, "one")
    (first,) = health.evaluate().checks
    health.set("venue", False, "two")
    (second,) = health.evaluate().checks
    assert (second.reason, second.since_ms) == ("two", first.since_ms)
    assert not health.evaluate().healthy


async def test_a_task_that_dies_turns_its_check_red() -> None:
    """F31: health never says yes while a part is dead."""
    health = Health("binance")
    tasks = BackgroundTasks(health)

    tasks.start("clock", fails())
    await eventually(lambda: not health.evaluate().healthy)
    assert health.evaluate().checks[0].name == "task:clock"
    await tasks.close()


async def test_a_task_that_somebody_cancelled_is_as_dead_as_one_that_failed() -> None:
    """F31: only its owner may end it without harm."""
    health = Health("binance")
    tasks = BackgroundTasks(health)
    watchdog = tasks.start("watchdog", forever())
    clock = tasks.start("clock", forever())
    await asyncio.sleep(0)
    watchdog.cancel()
    await tasks.end(clock)
    assert [(check.name, check.reason) for check in health.evaluate().checks] == [("task:watchdog", "was cancelled")]
    await tasks.close()


async def test_a_task_takes_nothing_over_from_the_call_that_started_it() -> None:
    """F16: upkeep that a client's order set off neither counts as that client's nor goes in its lane."""
    told: list[object] = []

    async def work() -> None:
        told.extend((current_client(), budget._lane.get()))

    with on_behalf_of("alice"), budget.in_lane(Lane.ORDER):
        await BackgroundTasks(Health("binance")).start("rules", work(), lasting=False)
    assert told == [INTERNAL, Lane.QUERY]


async def test_a_passing_task_that_failed_is_forgiven_when_it_succeeds() -> None:
    health = Health("binance")
    tasks = BackgroundTasks(health)
    await asyncio.gather(tasks.start("mend", fails(), lasting=False), return_exceptions=True)
    assert not health.evaluate().healthy
    await tasks.start("mend", asyncio.sleep(0), lasting=False)
    await eventually(lambda: health.evaluate().healthy)


def test_a_doubt_turns_its_check_red_until_it_is_set() -> None:
    """F31: what goes wrong by nothing happening has nobody to say so."""
    health, why = Health("binance"), ""
    health.set("venue", True)
    health.add_probe("venue", lambda: why)
    assert health.evaluate().healthy
    why = "has not answered for 13 s"
    assert [check.reason for check in health.evaluate().checks if not check.ok] == [why]
    why = ""
    assert not health.evaluate().healthy
    health.set("venue", True)
    assert health.evaluate().healthy


async def test_stopping_a_task_is_no_failure() -> None:
    health = Health("binance")
    tasks = BackgroundTasks(health)
    tasks.start("clock", forever())
    await asyncio.sleep(0)
    await tasks.close()
    assert health.evaluate().checks == ()


async def test_an_upstream_that_ends_is_started_again_and_catches_up_each_time() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    starts: list[str] = []
    reasons: list[str] = []

    async def watch() -> None:
        starts.append("watch")
        raise ccxt.NetworkError("cut")

    async def catch_up() -> None:
        starts.append("catch up")

    subscription = Subscription("price", watch, on_lost=reasons.append, catch_up=catch_up)
    running = asyncio.create_task(subscription.run())
    await eventually(lambda: len(reasons) >= 3)
    running.cancel()
    assert starts.count("catch up") >= 3
    assert set(reasons) == {"cut"}


async def test_an_error_that_is_no_failure_of_the_network_is_not_swallowed() -> None:
    async def watch() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Subscription("price", watch, on_lost=lambda _reason: None).run()
