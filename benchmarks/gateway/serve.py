"""The other process: a real connector over an exchange in memory, whose market moves on request."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import io
import pstats
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import orjson
import uvloop

from opensqt.config.connector import ConnectorServerSettings
from opensqt.connector.server import Connector
from opensqt.model.market import Price
from opensqt.service import program
from opensqt.telemetry import logging
from opensqt.testing.exchange import InMemoryExchange

SYMBOL = "BTCUSDT"
BID, ASK = Decimal("50000.0"), Decimal("50000.1")
_CHUNK = 100
_MOST_BEHIND = 400
"""Updates that the slowest reader may be behind: above 512 a price would be conflated, not delivered."""


class Market(InMemoryExchange):
    """An exchange in memory, and a shortcut past its matching: what a price costs there is not the connector's cost."""

    def __init__(self) -> None:
        super().__init__(balance=Decimal(10) ** 15)
        self.set_price(SYMBOL, BID, ASK)

    def tick(self, count: int) -> None:
        now = time.time_ns()
        prices = [
            Price(
                symbol=SYMBOL,
                bid=BID,
                ask=ASK,
                bid_quantity=BID,
                ask_quantity=ASK,
                event_time_ms=now // 1_000_000,
                received_ns=now,
            )
            for _ in range(count)
        ]
        self.venue.price_feeds[SYMBOL].publish(prices)


class Orders:
    """What the benchmark can ask of this process."""

    def __init__(self, market: Market, connector: Connector) -> None:
        self._market = market
        self._connector = connector

    async def run(self, what: str, *, profiled: bool = False, **given: Any) -> Any:
        """Do one thing; *profiled*, answer instead where the time went meanwhile."""
        work = getattr(self, f"do_{what}")(**given)
        if not profiled:
            return await work
        profile = cProfile.Profile()
        profile.enable()
        await work
        profile.disable()
        text = io.StringIO()
        pstats.Stats(profile, stream=text).sort_stats("cumtime").print_stats(75)
        return text.getvalue()

    async def do_wait(self, for_s: float) -> None:
        await asyncio.sleep(for_s)

    async def do_pace(self, per_s: int, for_s: float) -> int:
        """Publish at a rate, what is due every millisecond; answer how many were."""
        started, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - started) < for_s:
            due = int(elapsed * per_s) - sent
            if due > 0:
                self._market.tick(due)
                sent += due
            await asyncio.sleep(0.001)
        return sent

    async def do_flood(self, updates: int = 0, for_s: float = 0) -> int:
        """Publish as fast as the slowest reader takes it; answer how many were."""
        sent, until = 0, time.monotonic() + for_s
        while sent < updates if updates else time.monotonic() < until:
            if self._behind() < _MOST_BEHIND:
                self._market.tick(_CHUNK)
                sent += _CHUNK
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(0.0005)
        return sent

    async def do_readers(self) -> int:
        return sum(self._connector.streams.counts.values())

    async def do_sequence(self) -> int:
        """Return the number of the newest update."""
        return self._market.venue.price_feeds[SYMBOL].sequence

    async def do_collect(self) -> int:
        """Have the garbage collector run, so that memory is what is held and not what waits to be given back."""
        return gc.collect()

    def _behind(self) -> int:
        return self._market.venue.price_feeds[SYMBOL].backlog


def main() -> int:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.gateway.serve")
    parser.add_argument("journal", help="file of the order journal")
    options = parser.parse_args()
    logging.configure("INFO", service="exchange-connector", style="json")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.journal))
    return 0


async def _serve(journal: str) -> None:
    market = Market()
    settings = ConnectorServerSettings(port=0, metrics_port=None, drain_s=0)
    async with Connector(market, settings, journal=journal) as connector:
        program.spare_the_collector()  # as the command does
        print(f"connector ready on {connector.address}", flush=True)
        orders = Orders(market, connector)
        async for line in _lines():
            answer = await orders.run(**orjson.loads(line))
            print(orjson.dumps(answer).decode(), flush=True)


async def _lines() -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line


if __name__ == "__main__":
    sys.exit(main())
