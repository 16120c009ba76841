"""Who must keep the contract. A new implementation adds one entry to SUBJECTS and passes the suite unchanged.

An entry opens an exchange that is not started yet, and the market around it. What an implementation can't do it says
in its `Capabilities`; tests ask those and never a name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.connector.server import Connector
from opensqt.model.account import PositionMode
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order
from opensqt.testing.exchange import InMemoryExchange
from tests.contract.bench import OTHER_SYMBOL, SYMBOL, Market, ref
from tests.contract.simulated import simulated

Opened = tuple[Exchange, Market]
Open = Callable[[PositionMode], AbstractAsyncContextManager[Opened]]
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Subject:
    """One implementation of the Exchange protocol."""

    open: Open
    idempotent: bool
    """Whether an order sent again with the same id and content is answered rather than refused."""


class MemoryMarket:
    """Moves an InMemoryExchange."""

    def __init__(self) -> None:
        self.now_ns = 1_700_000_000_000_000_000
        self._bid = Decimal(45_000)
        self.exchange: InMemoryExchange

    def clock(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def quote(self) -> None:
        self.exchange.set_price(
            SYMBOL,
            self._bid,
            self._bid + Decimal("0.4"),
            bid_quantity=Decimal("0.300"),
            ask_quantity=Decimal("0.300"),
        )

    async def hit(self, order: Order, quantity: Decimal) -> None:
        self.exchange.fill(ref(order), quantity)

    async def tick(self) -> None:
        self._bid += Decimal("0.1")
        self.quote()

    async def next_minute(self) -> None:
        self.now_ns += _MINUTE_NS
        await self.tick()


@asynccontextmanager
async def memory(mode: PositionMode) -> AsyncIterator[Opened]:
    """InMemoryExchange on a clock of its own."""
    market = MemoryMarket()
    market.exchange = InMemoryExchange(position_mode=mode, clock=market.clock)
    market.quote()
    market.exchange.set_price(OTHER_SYMBOL, Decimal("2500.00"), Decimal("2500.04"))
    yield market.exchange, market


def remote(behind: Open) -> Open:
    """Put a real connector, on a real port, before another subject."""

    @asynccontextmanager
    async def through_a_connector(mode: PositionMode) -> AsyncIterator[Opened]:
        async with behind(mode) as (exchange, market), Connector(exchange) as connector:
            yield RemoteExchange(RemoteSettings(base_url=connector.address, retry_scale=0.01)), market

    return through_a_connector


SUBJECTS: dict[str, Subject] = {
    "memory": Subject(memory, idempotent=True),
    "remote-memory": Subject(remote(memory), idempotent=True),
    "binance": Subject(simulated("binance"), idempotent=False),
    "remote-binance": Subject(remote(simulated("binance")), idempotent=True),
    "bitget": Subject(simulated("bitget"), idempotent=False),
    "remote-bitget": Subject(remote(simulated("bitget")), idempotent=True),
    "bybit": Subject(simulated("bybit"), idempotent=False),
    "remote-bybit": Subject(remote(simulated("bybit")), idempotent=True),
    "gate": Subject(simulated("gate"), idempotent=False),
    "remote-gate": Subject(remote(simulated("gate")), idempotent=True),
    "okx": Subject(simulated("okx"), idempotent=False),
    "remote-okx": Subject(remote(simulated("okx")), idempotent=True),
}
