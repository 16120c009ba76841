"""Row `fresh`: how old prices are when a program that takes its time between reads is given them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.gateway import rig
from benchmarks.gateway.rig import Options
from benchmarks.measure import Result, percentile
from benchmarks.process import Server
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.proto import exchange_service_pb2 as pb

_PER_S = 16
_PAUSES_S = (0.2, 2.0)


async def fresh(options: Options) -> list[Result]:
    """Measure the age by `opensqt.connect`, and by the plain call beside it, whose reader gRPC keeps the past for."""
    results = []
    async with rig.connector(options, "fresh") as server, rig.client(server.address) as bare:
        for pause_s in _PAUSES_S:
            for_s = max(options.size(40, 10), 5 * pause_s)
            settings = RemoteSettings(base_url=server.address)
            async with RemoteExchange(settings) as exchange, exchange.subscribe_price(rig.SYMBOL) as prices:
                call = bare.stub.SubscribePrice(pb.SubscribePriceRequest(symbol=rig.SYMBOL))
                ours, plain, _ = await asyncio.gather(
                    _ages(prices.__anext__, pause_s, for_s),
                    _ages(call.read, pause_s, for_s),
                    _market(server, for_s),
                )
                call.cancel()
            what = f"age at hand-over, {pause_s:g} s between reads, p99"
            detail = f"{len(ours)} reads; the plain call {percentile(plain, 0.99):.3g} s"
            results.append(Result("fresh", what, percentile(ours, 0.99), pause_s + 0.3, unit=" s", detail=detail))
    return results


async def _market(server: Server, for_s: float) -> None:
    # A little longer than the readers read, so that none waits for a price that does not come.
    await server.ask(what="pace", per_s=_PER_S, for_s=for_s + 3)


async def _ages(read: Callable[[], Awaitable[Any]], pause_s: float, for_s: float) -> list[float]:
    """Return how old the newest price was at each read but the first, which is the snapshot."""
    ages = []
    await read()
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        await asyncio.sleep(pause_s)
        batch = await read()
        ages.append((time.time_ns() - batch.updates[-1].received_ns) / 1e9)
    return ages
