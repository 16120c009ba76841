"""Rows `fanout`, `latency` and `stopped`: prices from a connector to ten clients, each on a connection of its own."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from benchmarks.gateway import rig
from benchmarks.gateway.rig import READERS, Client, Options
from benchmarks.measure import Result, Round, median_ratio, medians, p50s, p99s, summary
from benchmarks.process import Server, resident_mb, running
from opensqt.proto import exchange_service_pb2 as pb

_BUSY_PER_S = 10_000
_IDLE_PER_S = 50


class Readers:
    """Ten clients that subscribe to prices, and what each was given."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self.updates = [0] * len(clients)
        self.sequence = [0] * len(clients)
        """The newest that each has."""
        self.responses = 0
        self.late_ms: list[float] = []
        self._clock = False

    @asynccontextmanager
    async def subscribed(self, *, clock: bool) -> AsyncIterator[None]:
        """Read; with *clock* also note how old each update is, which costs the reader more than the reading."""
        self._clock = clock
        async with self._reading(
            [client.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL)) for client in self._clients]
        ):
            yield

    @asynccontextmanager
    async def following_orders(self) -> AsyncIterator[None]:
        """Read the account's orders."""
        calls = [client.stub.SubscribeOrders(pb.SubscribeOrdersRequest()) for client in self._clients]
        async with self._reading(calls):
            yield

    @asynccontextmanager
    async def _reading(self, calls: list[Any]) -> AsyncIterator[None]:
        await asyncio.gather(*(call.wait_for_connection() for call in calls))
        tasks = [asyncio.create_task(self._read(number, call)) for number, call in enumerate(calls)]
        try:
            yield
        finally:
            for call in calls:
                call.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for outcome in ended:
                if not isinstance(outcome, asyncio.CancelledError):
                    raise RuntimeError("a reader ended too early") from outcome

    def forget(self) -> None:
        """Begin to count anew."""
        self.updates = [0] * len(self._clients)
        self.responses = 0
        self.late_ms = []

    async def _read(self, number: int, call: Any) -> None:
        await call.read()  # the snapshot
        while True:
            message = await call.read()
            updates = message.updates
            self.updates[number] += len(updates)
            self.sequence[number] = message.sequence
            self.responses += 1
            if self._clock:
                now = time.time_ns()
                self.late_ms += [(now - update.received_ns) / 1e6 for update in updates]


@asynccontextmanager
async def readers(address: str, count: int = READERS) -> AsyncIterator[Readers]:
    async with AsyncExitStack() as stack:
        yield Readers([await stack.enter_async_context(rig.client(address)) for _ in range(count)])


async def fanout(options: Options) -> list[Result]:
    """Measure how many updates a second ten clients are given, beside one write for each update."""
    rounds, for_s = options.size(6, 2), options.size(3, 1)
    ours, floor, share = [], [], []
    one = pb.SubscribePriceResponse(updates=[rig.price()], epoch="0123456789abcdef", sequence=1 << 20)
    async with (
        rig.connector(options, "fanout") as server,
        rig.floor(options, SubscribePrice=one.SerializeToString()) as bare,
        readers(server.address) as many,
        readers(bare.address) as few,
    ):
        for _ in range(rounds):
            async with few.subscribed(clock=False):
                floor.append(sum(await _rates(few, asyncio.sleep(for_s))))
            async with many.subscribed(clock=False):
                rates = await _rates(many, server.ask(what="flood", for_s=for_s))
            ours.append(min(rates))
            share.append(sum(many.updates) / max(many.responses, 1))
    detail = f"{statistics.median(share):.0f} updates a response; floor {statistics.median(floor):,.0f}/s in all"
    return [
        Result(
            "fanout",
            f"updates to each of {READERS} clients",
            statistics.median(ours),
            50_000,
            at_least=True,
            unit="/s",
            detail=detail,
        ),
        Result(
            "fanout",
            "updates in all, to one write for each",
            median_ratio([READERS * rate for rate in ours], floor),
            20,
            at_least=True,
        ),
    ]


async def latency(options: Options) -> list[Result]:
    """Measure how old an update is when a client has it: idle, and at 10,000 a second."""
    rounds, for_s = options.size(5, 2), options.size(3, 1)
    idle, busy = [], []
    async with (
        rig.connector(options, "latency") as server,
        readers(server.address) as ten,
        ten.subscribed(clock=True),
    ):
        await _late(ten, server, _BUSY_PER_S, 1)
        for _ in range(rounds):
            idle.append(await _late(ten, server, _IDLE_PER_S, for_s))
            busy.append(await _late(ten, server, _BUSY_PER_S, for_s))
    value = median_ratio(p99s(busy), p50s(idle))
    detail = f"idle {medians(idle)}, busy {medians(busy)}"
    return [Result("latency", f"p99 at {_BUSY_PER_S:,}/s to idle p50", value, 5, detail=detail)]


async def stopped(options: Options) -> list[Result]:
    """Measure what nine readers feel, and what memory is held, while the tenth is stopped."""
    rounds, for_s = options.size(6, 2), options.size(4, 2)
    before, during = [], []
    log = options.folder / "reader.log"
    async with (
        rig.connector(options, "stopped") as server,
        readers(server.address, READERS - 1) as nine,
        running("benchmarks.gateway.reader", server.address, log=log) as tenth,
        nine.subscribed(clock=True),
    ):
        await _late(nine, server, _BUSY_PER_S, 2)
        held = resident_mb(server.pid)
        for _ in range(rounds):
            before.append(await _late(nine, server, _BUSY_PER_S, for_s))
            tenth.send(signal.SIGSTOP)
            during.append(await _late(nine, server, _BUSY_PER_S, for_s))
            tenth.send(signal.SIGCONT)
            await _late(nine, server, _BUSY_PER_S, 0.5)
        grown = resident_mb(server.pid) - held
    updates = rounds * 2 * for_s * _BUSY_PER_S
    detail = f"before {medians(before)}, while stopped {medians(during)}"
    return [
        Result("stopped", "the others' p99, to before", median_ratio(p99s(during), p99s(before)), 1.2, detail=detail),
        Result("stopped", f"memory growth in {updates:,} updates", grown, 10, unit=" MB"),
    ]


async def _rates(of: Readers, work: Any) -> list[float]:
    """Return the updates a second that each reader was given while *work* lasted."""
    of.forget()
    started = time.perf_counter()
    await work
    took = time.perf_counter() - started
    return [count / took for count in of.updates]


async def _late(of: Readers, server: Server, per_s: int, for_s: float) -> Round:
    of.forget()
    await server.ask(what="pace", per_s=per_s, for_s=for_s)
    await asyncio.sleep(0.05)  # what is under way still belongs to this run
    return summary(of.late_ms)
