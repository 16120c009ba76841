"""What a connector process holds does not grow with subscriptions, with time, or with a reader that has stopped."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.gateway import rig, venue
from benchmarks.gateway.memory import churn, settled_mb
from benchmarks.gateway.rig import Options
from benchmarks.gateway.streams import readers
from benchmarks.process import Server, descriptors, resident_mb, running
from benchmarks.soak.load import Load
from benchmarks.soak.slope import Allowance, judge
from tests.support import eventually

_SPEED = 10_080
"""A week in a minute."""


@pytest.mark.timeout(600)
async def test_subscriptions_that_came_and_went_leave_nothing(tmp_path: Path, large: bool) -> None:
    """F26: 100,000 rounds of subscribe, read and cancel."""
    warm_up, rounds = (5_000, 100_000) if large else (500, 2_000)
    async with rig.connector(Options(tmp_path)) as server, rig.client(server.address) as client:
        await churn(client, warm_up)
        held, files = await settled_mb(server), descriptors(server.pid)
        grown: list[float] = []
        # What each round leaves shows every time; what a busy machine makes gRPC allocate once does not.
        while len(grown) < 3 and not any(one < (10 if large else 2) for one in grown):
            await churn(client, rounds)
            await eventually(lambda: _nobody_reads(server), what="every subscription is given up")
            before, held = held, await settled_mb(server)
            grown.append(held - before)
        assert min(grown) < (10 if large else 2), grown
        assert descriptors(server.pid) <= files


@pytest.mark.timeout(800)
async def test_a_stopped_reader_costs_no_memory_and_the_others_no_update(tmp_path: Path, large: bool) -> None:
    """F28: a process that reads prices is stopped; stopped for 10 minutes with --large."""
    per_s, for_s = (2_000, 600.0) if large else (20_000, 4.0)
    log = tmp_path / "reader.log"
    async with (
        rig.connector(Options(tmp_path)) as server,
        readers(server.address, 3) as others,
        running("benchmarks.gateway.reader", server.address, log=log) as stopped,
        others.subscribed(clock=False),
    ):
        await server.ask(what="flood", updates=20_000)
        held = await settled_mb(server)
        stopped.send(signal.SIGSTOP)
        await server.ask(what="pace", per_s=per_s, for_s=for_s)
        newest = await server.ask(what="sequence")
        await eventually(lambda: min(others.sequence) == newest, what="the others have the newest update")
        # What 80,000 updates and more would take if they were kept for it is more.
        assert await settled_mb(server) - held < 6


@pytest.mark.timeout(300)
async def test_a_compressed_week_of_the_market_leaves_no_slope(tmp_path: Path, large: bool) -> None:
    """F27: a week in a minute through simulator, adapter and connector, every topic read and orders filled; a quarter
    of it unless --large, and then with small memories, for the real ones are not full after so short a time.
    """
    minutes, module = (10_080, "opensqt.connector") if large else (2_520, "benchmarks.soak.connector")
    recording = tmp_path / "bars.csv"
    recording.write_text(bars(minutes))
    points = []
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            venue.gateway(Options(tmp_path), "--replay", str(recording), "--speed", str(_SPEED), module=module)
        )
        load = Load(gateway.connector.address)
        task = await stack.enter_async_context(load.running())
        for number in itertools.count():
            await asyncio.wait({task}, timeout=0.2)
            assert not task.done(), task
            points.append((number * 0.2, resident_mb(gateway.connector.pid)))
            if number * 0.2 * _SPEED > minutes * 60:
                break
    trend = judge("memory", "MB", points, Allowance(5.0))
    assert trend.flat, trend


async def _nobody_reads(server: Server) -> bool:
    return await server.ask(what="readers") == 0


def bars(minutes: int) -> str:
    """A recording of as many one-minute bars."""
    chance, price = random.Random(7), 46_000.0
    rows = ["timestamp,open,high,low,close,volume"]
    for minute in range(minutes):
        begin = datetime.fromtimestamp(1_640_995_200 + 60 * minute, tz=UTC)
        end = price * (1 + chance.gauss(0, 0.0005))
        corners = f"{price:.1f},{max(price, end) + 5:.1f},{min(price, end) - 5:.1f},{end:.1f}"
        rows.append(f"{begin:%Y-%m-%d %H:%M:%S}.000000,{corners},2300000")
        price = round(end, 1)
    return "\n".join(rows) + "\n"
