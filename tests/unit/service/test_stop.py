"""Work that a stop ends."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.service.stop import Stopped, unless_stopped


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


async def test_work_that_ends_first_gives_its_result(stop: asyncio.Event) -> None:
    async def work() -> int:
        return 42

    assert await unless_stopped(stop, work()) == 42


async def test_what_the_work_fails_with_is_raised(stop: asyncio.Event) -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await unless_stopped(stop, work())


async def test_a_stop_cancels_the_work_and_waits_for_its_end(stop: asyncio.Event) -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended = True

    with pytest.raises(Stopped):
        await unless_stopped(stop, work())
    assert ended


async def test_a_result_beside_the_stop_is_not_lost(stop: asyncio.Event) -> None:
    async def work() -> int:
        stop.set()
        return 42

    assert await unless_stopped(stop, work()) == 42


async def test_a_failure_on_the_way_out_is_not_hidden(stop: asyncio.Event) -> None:
    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("could not close")

    with pytest.raises(ValueError, match="could not close"):
        await unless_stopped(stop, work())


async def test_cancelling_the_wait_cancels_the_work(stop: asyncio.Event) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(unless_stopped(stop, work()))
    await began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
