"""The order gate at the last moment: a request that waited for a connection passes it before its first byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import aiohttp
import pytest
from aiohttp import web

from opensqt.model.errors import ExchangeError, Unreachable
from opensqt.model.order_gate import departing, through
from opensqt.venues.transport.ccxt_client import GatedRequest
from tests.support import eventually


class Gate:
    """An order gate that a test closes without waking anybody."""

    def __init__(self) -> None:
        self.closed = False
        self.sent: list[str] = []

    def refusal(self, symbol: str) -> ExchangeError | None:
        return Unreachable("never sent") if self.closed else None

    @contextmanager
    def watch(self, closed: Callable[[], None]) -> Iterator[None]:
        yield

    def note_sent(self, ids: Collection[str]) -> None:
        self.sent.extend(ids)

    def note_returned(self, ids: Collection[str]) -> None:
        """Nothing returns here."""


async def test_an_order_that_waited_for_a_connection_is_not_sent_through_a_closed_gate() -> None:
    """F53: the pool's only connection is in use until after the end of the call; a cancel and a query still go."""
    arrived: list[str] = []
    release = asyncio.Event()

    async def serve(request: web.Request) -> web.Response:
        arrived.append(f"{request.method} {request.path}")
        await release.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    gate = Gate()
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1), request_class=GatedRequest
        ) as session:

            async def send(method: str, name: str, *, places: bool = True) -> int:
                if not places:
                    async with session.request(method, f"{url}/{name}") as response:
                        return response.status
                with through(gate), departing(["BTCUSDT"], [name]):
                    async with session.request(method, f"{url}/{name}", data=b"{}") as response:
                        return response.status

            first = asyncio.create_task(send("POST", "first"))
            await eventually(lambda: arrived)
            late = [asyncio.create_task(send(method, f"late{method}")) for method in ("POST", "PUT")]
            others = [asyncio.create_task(send("DELETE", "cancel", places=False))]
            others.append(asyncio.create_task(send("GET", "query")))
            await asyncio.sleep(0)
            gate.closed = True
            release.set()
            assert await first == 200
            for one in late:
                with pytest.raises(Unreachable, match="never sent"):
                    await one
            assert await asyncio.gather(*others) == [200, 200]
    finally:
        await runner.cleanup()
    assert sorted(arrived) == ["DELETE /cancel", "GET /query", "POST /first"]
    assert gate.sent == ["first"]
