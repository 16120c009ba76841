"""The checks of an adapter, and its background tasks."""

from __future__ import annotations

import asyncio

from opensqt.model.client_context import INTERNAL, current_client, on_behalf_of
from opensqt.venues.health import BackgroundTasks, Health
from opensqt.venues.ratelimit.limiter import current_lane, in_lane
from opensqt.venues.ratelimit.window import Lane
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


async def test_a_task_that_fails_sets_its_check_to_failed() -> None:
    """F31: health never says yes while a part is dead."""
    health = Health("binance")
    tasks = BackgroundTasks(health)

    tasks.start("clock", fails())
    await eventually(lambda: not health.evaluate().healthy)
    assert health.evaluate().checks[0].name == "task:clock"
    await tasks.close()


async def test_a_task_that_another_than_its_owner_cancelled_counts_as_failed() -> None:
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


async def test_a_task_inherits_nothing_from_the_call_that_started_it() -> None:
    """F16: an internal request after a client's order is neither charged to the client nor sent in its lane."""
    seen: list[object] = []

    async def work() -> None:
        seen.extend((current_client(), current_lane()))

    with on_behalf_of("alice"), in_lane(Lane.ORDER):
        await BackgroundTasks(Health("binance")).start("rules", work(), lasting=False)
    assert seen == [INTERNAL, Lane.QUERY]


async def test_the_failed_check_of_a_short_task_is_removed_when_it_succeeds() -> None:
    health = Health("binance")
    tasks = BackgroundTasks(health)
    await asyncio.gather(tasks.start("fill gap", fails(), lasting=False), return_exceptions=True)
    assert not health.evaluate().healthy
    await tasks.start("fill gap", asyncio.sleep(0), lasting=False)
    await eventually(lambda: health.evaluate().healthy)


def test_a_probe_fails_its_check_until_the_check_is_set() -> None:
    """F31: a failure that shows only because nothing happens is noticed."""
    health, reason = Health("binance"), ""
    health.set("venue", True)
    health.add_probe("venue", lambda: reason)
    assert health.evaluate().healthy
    reason = "has not responded for 13 s"
    assert [check.reason for check in health.evaluate().checks if not check.ok] == [reason]
    reason = ""
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
