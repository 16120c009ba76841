"""Data of the demo's view, collected from the processes: prices and orders by stream, the rest by polling."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp

from opensqt.cli.children import Child
from opensqt.model.errors import ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order

_POLL_INTERVAL_S = 1.0
_FILLS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """Health of one process, as the process reports it."""

    name: str
    ok: bool
    detail: str


@dataclass(slots=True)
class DemoState:
    """The newest data of everything that the view shows."""

    price: Price | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    """Open orders by client id."""
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=_FILLS_SHOWN))
    """The last ones, newest first."""
    totals: Mapping[str, Any] = field(default_factory=dict)
    """The market maker's `/status`."""
    health: Sequence[ProcessHealth] = ()
    finished: bool = False
    """Whether the recording was played to its end."""

    def total(self, name: str) -> Decimal:
        """Return a number of the market maker's status; zero before the first status."""
        return Decimal(str(self.totals.get(name) or 0))


class Web:
    """HTTP client for the processes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> tuple[int, Any]:
        """Return status and JSON body (None when the body is not JSON).

        Raises:
            aiohttp.ClientError: There was no response.
            TimeoutError: There was no response in time.
        """
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=30)) as response:
            return response.status, _json(await response.text())

    async def health(self, base: str) -> str:
        """Get `/health` of a process; return why it is not healthy, or an empty text."""
        status, body = await self.get(f"{base}/health")
        if status == 200:
            return ""
        reasons = (body.get("problems") or body.get("reasons")) if isinstance(body, dict) else None
        return "; ".join(map(str, reasons)) if reasons else f"HTTP {status}"

    async def post(self, url: str, body: Mapping[str, Any]) -> Any:
        """Send JSON and return the JSON of the response.

        Raises:
            aiohttp.ClientError: The request was refused, or there was no response.
        """
        async with self._session.post(url, json=body) as response:
            response.raise_for_status()
            return await response.json()


class Watcher:
    """Keeps one `DemoState` current until cancelled.

    Args:
        symbol: The symbol that the grid trades.
        exchange: A client of the connector.
        web: HTTP client for the other processes.
        simulator, market_maker, live_server: The processes, with their addresses.
    """

    def __init__(
        self, symbol: str, exchange: Exchange, web: Web, *, simulator: Child, market_maker: Child, live_server: Child
    ) -> None:
        self.state = DemoState()
        self._symbol = symbol
        self._exchange = exchange
        self._web = web
        self._simulator = f"http://{simulator.address}"
        self._market_maker = f"http://{market_maker.address}"
        self._live_server = f"http://{live_server.address}"

    async def run(self) -> None:
        """Read the streams and poll until cancelled; a stream that ends raises its error."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prices(), name="prices")
            group.create_task(self._orders(), name="orders")
            group.create_task(self._poll(), name="poll")

    async def _prices(self) -> None:
        async for batch in self._exchange.subscribe_price(self._symbol):
            if batch.updates:
                self.state.price = batch.updates[-1]

    async def _orders(self) -> None:
        async for batch in self._exchange.subscribe_orders(self._symbol):
            if batch.snapshot:
                self.state.orders.clear()
            for update in batch.updates:
                order = update.order
                if order.status.is_open:
                    self.state.orders[order.client_order_id] = order
                else:
                    self.state.orders.pop(order.client_order_id, None)
                if update.fill is not None:
                    self.state.fills.appendleft(update.fill)

    async def _poll(self) -> None:
        while True:
            self.state.health = await asyncio.gather(
                self._to_health("simulator", self._poll_simulator),
                self._to_health("connector", self._poll_connector),
                self._to_health("market maker", self._poll_market_maker),
                self._to_health("live server", self._poll_live_server),
            )
            await asyncio.sleep(_POLL_INTERVAL_S)

    async def _to_health(self, name: str, poll: Callable[[], Awaitable[str]]) -> ProcessHealth:
        """Poll once and return the health: an empty detail means healthy, any other is the reason."""
        try:
            detail = await poll()
        except (aiohttp.ClientError, TimeoutError, ExchangeError) as error:
            detail = f"no response: {error or type(error).__name__}"
        return ProcessHealth(name, not detail, detail)

    async def _poll_simulator(self) -> str:
        status, body = await self._web.get(f"{self._simulator}/_sim")
        if status != 200:
            return f"HTTP {status}"
        self.state.finished = bool(body["finished"])
        return ""

    async def _poll_connector(self) -> str:
        status = await self._exchange.get_status()
        return "; ".join(f"{check.name}: {check.reason}" for check in status.checks if not check.ok)

    async def _poll_market_maker(self) -> str:
        status, body = await self._web.get(f"{self._market_maker}/status")
        if status == 200 and isinstance(body, dict):
            self.state.totals = body
        return await self._web.health(self._market_maker)

    async def _poll_live_server(self) -> str:
        return await self._web.health(self._live_server)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
