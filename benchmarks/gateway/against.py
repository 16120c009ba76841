"""Suite `against`: this build beside another checkout's, each in processes of its own, in one run.

The other checkout is run from its own folder, with its own sources and its own benchmark server, so that nothing of
this build is measured in its place. Both are asked by the same clients over gRPC.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.checkout import HERE, checkout
from benchmarks.gateway import rig, suite, venue
from benchmarks.gateway.memory import settled_mb
from benchmarks.gateway.rig import Client, Options
from benchmarks.gateway.streams import readers
from benchmarks.measure import Result, alternate, medians, p50s
from benchmarks.process import Server, cpu_s, resident_mb, running
from opensqt.proto import exchange_service_pb2 as pb

READERS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what of this suite can be chosen."""
    group = parser.add_argument_group("suite against")
    group.add_argument(
        "--other",
        action="append",
        metavar="BUILD",
        help="another build: a folder with `src` and `benchmarks` in it, or a commit; repeatable for the suite engine",
    )
    group.add_argument("--compare", action="append", choices=ROWS, help="one of them, repeatable (default: all)")


def run(options: argparse.Namespace, file: Path) -> None:
    """Measure both builds and print the table. A goal that is missed is no failure of the command."""
    if len(options.other or ()) != 1:
        raise SystemExit("suite against: give the other build, one, with --other")
    with (
        checkout(options.other[0]) as other,
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        sizes = Options(Path(folder), quick=options.quick)
        builds = {"other": other, "this": HERE}
        results: list[Result] = []
        for row in options.compare or ROWS:
            print(f"against: {row}", file=sys.stderr)
            measured = runner.run(ROWS[row](sizes, builds))
            suite.write(file, row, measured, quick=options.quick)
            results += measured
    suite.report("This build beside the other in the same run", results)


async def open_orders(options: Options, builds: dict[str, Path]) -> list[Result]:
    """Measure what an open order costs a connector before a simulated venue, with ten readers of the orders."""
    # The simulator sums up the margin of all open orders for each new one: 10,000 take too long on either side.
    count = options.size(3_000, 1_500)
    held_kb = {name: await _open_orders(options, folder, count) for name, folder in builds.items()}
    detail = f"{count:,} open; other {held_kb['other']:.2f} kB, this {held_kb['this']:.2f} kB"
    return [Result("against", "memory per open order", held_kb["this"] / held_kb["other"], 0.5, detail=detail)]


async def _open_orders(options: Options, build: Path, count: int) -> float:
    flags = ("--still", "--open-orders", str(count * 2))
    async with (
        venue.gateway(options, *flags, env=_environment(build), cwd=build) as gateway,
        readers(gateway.connector.address, READERS) as many,
        many.following_orders(),
        rig.client(gateway.connector.address) as ours,
    ):
        orders = rig.new_orders(price=await venue.deep_price(ours))
        warm_up = count // 10
        await _place(ours, orders, warm_up)
        before = resident_mb(gateway.connector.pid)
        await _place(ours, orders, count)
        await asyncio.sleep(2)
        return (resident_mb(gateway.connector.pid) - before) * 1000 / count


async def _place(of: Client, orders: Iterator[pb.PlaceOrderRequest], count: int) -> None:
    """Place orders, one batch after the other, so that none waits in the simulator until its timestamp is too old."""
    for _ in range(count // 5):
        batch = [next(orders).order for _ in range(5)]
        answer = await of.stub.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=batch))
        refused = [one.error.message for one in answer.results if one.WhichOneof("result") == "error"]
        if refused:
            raise RuntimeError(f"an order was refused: {refused[0]}")


async def updates(options: Options, builds: dict[str, Path]) -> list[Result]:
    """Measure what 100,000 updates of one price leave behind, read by ten clients."""
    count = 100_000
    held_mb = {}
    for name, folder in builds.items():
        async with (
            _serve(options, name, folder) as server,
            readers(server.address, READERS) as many,
            many.subscribed(clock=False),
        ):
            before = await settled_mb(server)
            await server.ask(what="flood", updates=count)
            held_mb[name] = await settled_mb(server) - before
    detail = f"after {count:,}; other {held_mb['other']:.1f} MB, this {held_mb['this']:.1f} MB"
    return [Result("against", "memory of a price's updates", held_mb["this"] / held_mb["other"], None, detail=detail)]


async def place(options: Options, builds: dict[str, Path]) -> list[Result]:
    """Measure the CPU that the server spends on one PlaceOrder, call after call in turns."""
    rounds, calls = options.size(20, 6), options.size(250, 100)
    orders = rig.new_orders()
    async with AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(_serve(options, name, folder)) for name, folder in builds.items()
        }
        clients = {
            name: await stack.enter_async_context(rig.client(server.address)) for name, server in servers.items()
        }
        ways = {name: (lambda of=of: of.stub.PlaceOrder(next(orders))) for name, of in clients.items()}
        used = {name: cpu_s(server.pid) for name, server in servers.items()}
        runs = await alternate(ways, rounds=rounds, calls=calls)
        # The warm-up counts too, on both sides alike.
        spent = {name: cpu_s(server.pid) - used[name] for name, server in servers.items()}
    cpu_us = {name: seconds / (rounds * calls + 100) * 1e6 for name, seconds in spent.items()}
    detail = f"other {cpu_us['other']:.0f} us, this {cpu_us['this']:.0f} us"
    ratio = statistics.median(ours / other for ours, other in zip(p50s(runs["this"]), p50s(runs["other"]), strict=True))
    times = f"other {medians(runs['other'])}, this {medians(runs['this'])}"
    return [
        Result("against", "CPU of PlaceOrder", cpu_us["this"] / cpu_us["other"], 0.75, detail=detail),
        Result("against", "p50 of PlaceOrder", ratio, None, detail=times),
    ]


@asynccontextmanager
async def _serve(options: Options, name: str, build: Path) -> AsyncIterator[Server]:
    """Run a build's own benchmark server: a connector over an exchange in memory."""
    number = next(_NUMBERS)
    async with running(
        "benchmarks.gateway.serve",
        str(options.folder / f"{name}-{number}.db"),
        log=options.folder / f"{name}-{number}.log",
        env=_environment(build),
        cwd=build,
    ) as server:
        yield server


def _environment(build: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join((str(build / "src"), str(build)))}


_NUMBERS = itertools.count()
ROWS: dict[str, Callable[[Options, dict[str, Path]], Coroutine[Any, Any, list[Result]]]] = {
    "orders": open_orders,
    "updates": updates,
    "place": place,
}
