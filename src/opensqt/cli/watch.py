"""What the demo's view shows, gathered from the processes: prices and orders by stream, the rest by asking."""

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

_ASK_EVERY_S = 1.0
_FILLS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Health:
    """One process as its own health answer tells it."""

    name: str
    ok: bool
    detail: str


@dataclass(slots=True)
class Picture:
    """The newest of everything."""

    price: Price | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    """Open orders by client id."""
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=_FILLS_SHOWN))
    """The last ones, newest first."""
    totals: Mapping[str, Any] = field(default_factory=dict)
    """The market maker's `/status`."""
    health: Sequence[Health] = ()
    finished: bool = False
    """Whether the recording was played to its end."""

    def total(self, name: str) -> Decimal:
        """A figure of the market maker's, zero before it told one."""
        return Decimal(str(self.totals.get(name) or 0))


class Web:
    """Asks the processes over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> tuple[int, Any]:
        """Answer status and JSON body (None where it is none).

        Raises:
            aiohttp.ClientError: Nobody answered.
            TimeoutError: Nobody answered in time.
        """
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=30)) as answer:
            return answer.status, _json(await answer.text())

    async def health(self, base: str) -> str:
        """Ask a process's `/health`; answer why it is not well, or an empty text."""
        status, body = await self.get(f"{base}/health")
        if status == 200:
            return ""
        reasons = (body.get("problems") or body.get("reasons")) if isinstance(body, dict) else None
        return "; ".join(map(str, reasons)) if reasons else f"HTTP {status}"

    async def post(self, url: str, body: Mapping[str, Any]) -> Any:
        """Send JSON and answer JSON.

        Raises:
            aiohttp.ClientError: It was refused, or nobody answered.
        """
        async with self._session.post(url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()


class Watcher:
    """Keeps one picture fresh until cancelled.

    Args:
        symbol: What the grid trades.
        exchange: A client of the connector.
        web: For the others.
        simulator, market_maker, live_server: Where they listen.
    """

    def __init__(
        self, symbol: str, exchange: Exchange, web: Web, *, simulator: Child, market_maker: Child, live_server: Child
    ) -> None:
        self.picture = Picture()
        self._symbol = symbol
        self._exchange = exchange
        self._web = web
        self._simulator = f"http://{simulator.address}"
        self._market_maker = f"http://{market_maker.address}"
        self._live_server = f"http://{live_server.address}"

    async def run(self) -> None:
        """Read streams and ask, for ever; a stream that ends for good raises its error."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prices(), name="prices")
            group.create_task(self._orders(), name="orders")
            group.create_task(self._asking(), name="asking")

    async def _prices(self) -> None:
        async for batch in self._exchange.subscribe_price(self._symbol):
            if batch.updates:
                self.picture.price = batch.updates[-1]

    async def _orders(self) -> None:
        async for batch in self._exchange.subscribe_orders(self._symbol):
            if batch.snapshot:
                self.picture.orders.clear()
            for update in batch.updates:
                order = update.order
                if order.status.is_open:
                    self.picture.orders[order.client_order_id] = order
                else:
                    self.picture.orders.pop(order.client_order_id, None)
                if update.fill is not None:
                    self.picture.fills.appendleft(update.fill)

    async def _asking(self) -> None:
        while True:
            self.picture.health = await asyncio.gather(
                self._asked("simulator", self._ask_simulator),
                self._asked("connector", self._ask_connector),
                self._asked("market maker", self._ask_market_maker),
                self._asked("live server", self._ask_live_server),
            )
            await asyncio.sleep(_ASK_EVERY_S)

    async def _asked(self, name: str, ask: Callable[[], Awaitable[str]]) -> Health:
        """Turn an answer into health: an empty detail is well, any other tells what is wrong."""
        try:
            detail = await ask()
        except (aiohttp.ClientError, TimeoutError, ExchangeError) as error:
            detail = f"no answer: {error or type(error).__name__}"
        return Health(name, not detail, detail)

    async def _ask_simulator(self) -> str:
        status, body = await self._web.get(f"{self._simulator}/_sim")
        if status != 200:
            return f"HTTP {status}"
        self.picture.finished = bool(body["finished"])
        return ""

    async def _ask_connector(self) -> str:
        status = await self._exchange.get_status()
        return "; ".join(f"{check.name}: {check.reason}" for check in status.checks if not check.ok)

    async def _ask_market_maker(self) -> str:
        status, body = await self._web.get(f"{self._market_maker}/status")
        if status == 200 and isinstance(body, dict):
            self.picture.totals = body
        return await self._web.health(self._market_maker)

    async def _ask_live_server(self) -> str:
        return await self._web.health(self._live_server)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
