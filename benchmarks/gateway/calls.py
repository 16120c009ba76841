"""Rows `read` and `place`: unary calls through the connector on an exchange in memory, beside a bare echo."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks.gateway import rig
from benchmarks.gateway.rig import Client, Options
from benchmarks.measure import Call, Result, Round, alternate, median_ratio, medians, p50s, p99s, summary
from benchmarks.process import cpu_s
from opensqt.proto import exchange_service_pb2 as pb

_CALLERS = 32


@dataclass(frozen=True)
class Beside:
    """Our server and the bare one, call after call."""

    runs: dict[str, list[Round]]
    cpu_us: dict[str, float]
    """Of the server, for one call."""


async def read(options: Options) -> list[Result]:
    """Measure GetLatestPrice and GetAccount."""
    results = []
    price, account = pb.GetLatestPriceRequest(symbol=rig.SYMBOL), pb.GetAccountRequest()
    for method, request in (("GetLatestPrice", price), ("GetAccount", account)):

        def one(of: Client, method: str = method, request: object = request) -> Call:
            ask = getattr(of.stub, method)
            return lambda: ask(request)

        beside = await _beside_floor(options, method, one)
        results += _ratios("read", method, beside, p50=1.25, p99=1.5)
    return results


async def place(options: Options) -> list[Result]:
    """Measure PlaceOrder with the journal on the disk: alone, and by 32 callers at once."""
    orders = rig.new_orders()

    def one(of: Client) -> Call:
        return lambda: of.stub.PlaceOrder(next(orders))

    disk_ms = await asyncio.to_thread(_disk, options)
    beside = await _beside_floor(options, "PlaceOrder", one)
    results = _ratios("place", "PlaceOrder", beside, p50=1.6)
    detail = f"disk alone {disk_ms.p50:.2f} / {disk_ms.p99:.2f} ms"
    results.append(
        Result(
            "place", "one flush of the disk, beside the echo's p50", _share(disk_ms, beside.runs), None, detail=detail
        )
    )
    results.append(await _many_callers(options))
    return results


async def _beside_floor(options: Options, method: str, one: Callable[[Client], Call]) -> Beside:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(rig.connector(options, method))
        ours = await stack.enter_async_context(rig.client(server.address))
        answer = await one(ours)()
        bare = await stack.enter_async_context(rig.floor(options, **{method: answer.SerializeToString()}))
        echo = await stack.enter_async_context(rig.client(bare.address))
        ways = {"floor": one(echo), "ours": one(ours)}
        rounds, calls = options.size(20, 4), options.size(250, 100)
        used = {"floor": cpu_s(bare.pid), "ours": cpu_s(server.pid)}
        runs = await alternate(ways, rounds=rounds, calls=calls)
        spent = {"floor": cpu_s(bare.pid) - used["floor"], "ours": cpu_s(server.pid) - used["ours"]}
        return Beside(runs, {name: seconds / rounds / calls * 1e6 for name, seconds in spent.items()})


async def _many_callers(options: Options) -> Result:
    """Count the orders that 32 callers place in a second."""
    for_s = options.size(4, 1)
    async with rig.connector(options, "callers") as server, rig.client(server.address) as ours:
        orders = rig.new_orders()
        answer = await ours.stub.PlaceOrder(next(orders))
        rate = await _rate(lambda: ours.stub.PlaceOrder(next(orders)), for_s)
    async with (
        rig.floor(options, PlaceOrder=answer.SerializeToString()) as bare,
        rig.client(bare.address) as echo,
    ):
        floor = await _rate(lambda: echo.stub.PlaceOrder(next(orders)), for_s)
    what = f"PlaceOrder, {_CALLERS} callers"
    return Result("place", what, rate, 1000, at_least=True, unit="/s", detail=f"echo {floor:,.0f}/s")


async def _rate(call: Call, for_s: float) -> float:
    done = 0
    until = time.perf_counter() + for_s

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await call()
            done += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(_CALLERS):
            group.create_task(caller())
    return done / (time.perf_counter() - started)


def _disk(options: Options) -> Round:
    """Time what a commit can't do without: a page written and flushed, in the folder of the journal."""
    times = []
    path = options.folder / "disk"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        for number in range(300):
            started = time.perf_counter_ns()
            os.pwrite(descriptor, b"x" * 4096, number * 4096)
            os.fdatasync(descriptor)
            times.append((time.perf_counter_ns() - started) / 1e6)
    finally:
        os.close(descriptor)
        path.unlink()
    return summary(times)


def _share(disk_ms: Round, runs: dict[str, list[Round]]) -> float:
    floor = sorted(p50s(runs["floor"]))
    return disk_ms.p50 / floor[len(floor) // 2]


def _ratios(row: str, what: str, beside: Beside, *, p50: float, p99: float | None = None) -> list[Result]:
    runs, cpu_us = beside.runs, beside.cpu_us
    detail = f"{medians(runs['ours'])}, echo {medians(runs['floor'])}"
    cpu = f"echo {cpu_us['floor']:.0f} us"
    return [
        Result(row, f"{what}, p50 to echo", median_ratio(p50s(runs["ours"]), p50s(runs["floor"])), p50, detail=detail),
        Result(row, f"{what}, p99 to echo", median_ratio(p99s(runs["ours"]), p99s(runs["floor"])), p99),
        Result(row, f"{what}, CPU of the server", cpu_us["ours"], None, unit=" us", detail=cpu),
    ]
