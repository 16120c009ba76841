"""Row `venue`: an order through connector and adapter to a simulator, beside the same adapter called directly."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.frames import clients
from benchmarks.gateway import rig
from benchmarks.gateway.rig import Client, Options
from benchmarks.measure import Result, alternate, median_ratio, medians, p50s, p99s
from benchmarks.process import Server, running
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire.requests import decode_order_request

VENUE = "binance"
_KEYS = {"API_KEY": "sim-key", "API_SECRET": "sim-secret", "LOG_FORMAT": "json"}
_DEEP = Decimal("0.98")


@dataclass(frozen=True)
class Gateway:
    """A simulator and the connector before it."""

    url: str
    connector: Server
    log: Path
    """What the connector said."""


@asynccontextmanager
async def gateway(
    options: Options,
    *market: str,
    module: str = "opensqt.connector",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> AsyncIterator[Gateway]:
    """Run a simulator and, before it, a connector as it is started for a real venue.

    Args:
        options: Where the journal is.
        market: Flags of `benchmarks.gateway.market`; without any nobody else trades.
        module: What is run as the connector.
        env: Further environment of the connector.
        cwd: The folder that the connector is run in.
    """
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    log = folder / "connector.log"
    async with running(
        "benchmarks.gateway.market", VENUE, *(market or ("--still",)), log=folder / "simulator.log"
    ) as simulator:
        url = f"http://{simulator.address}"
        given = ["--exchange", VENUE, "--port", "0", "--base-url", url, "--metrics-port", "0"]
        given += ["--journal", str(folder / "journal.db")]
        async with running(module, *given, log=log, env={**_KEYS, **(env or {})}, cwd=cwd) as connector:
            yield Gateway(url, connector, log)


async def deep_price(of: Client) -> str:
    """Return a price at which a buy rests."""
    price = (await of.stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol=rig.SYMBOL))).price
    return str((Decimal(price.bid) * _DEEP).quantize(Decimal("0.1")))


async def venue(options: Options) -> list[Result]:
    """Measure PlaceOrder both ways, and a bare echo beside them."""
    async with AsyncExitStack() as stack:
        through = await stack.enter_async_context(gateway(options))
        ours = await stack.enter_async_context(rig.client(through.connector.address))
        direct = await stack.enter_async_context(clients.adapter(VENUE, through.url))
        orders: Iterator[pb.PlaceOrderRequest] = rig.new_orders(price=await deep_price(ours))
        answer = await ours.stub.PlaceOrder(next(orders))
        bare = await stack.enter_async_context(rig.floor(options, PlaceOrder=answer.SerializeToString()))
        echo = await stack.enter_async_context(rig.client(bare.address))
        runs = await alternate(
            {
                "echo": lambda: echo.stub.PlaceOrder(next(orders)),
                "direct": lambda: direct.place_order(decode_order_request(next(orders).order)),
                "ours": lambda: ours.stub.PlaceOrder(next(orders)),
            },
            rounds=options.size(16, 3),
            calls=options.size(150, 60),
            after=lambda: direct.cancel_all_orders(rig.SYMBOL),
        )
    pairs = zip(p99s(runs["ours"]), p99s(runs["direct"]), p99s(runs["echo"]), strict=True)
    added = statistics.median(ours - direct - echo for ours, direct, echo in pairs)
    detail = f"{medians(runs['ours'])}, direct {medians(runs['direct'])}, echo {medians(runs['echo'])}"
    ratio = median_ratio(p50s(runs["ours"]), p50s(runs["direct"]))
    return [
        Result("venue", "PlaceOrder, p50 to the adapter alone", ratio, 1.6, detail=detail),
        Result("venue", "PlaceOrder, p99 added over the echo's own", added, 2, unit=" ms"),
    ]
