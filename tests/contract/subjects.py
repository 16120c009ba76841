"""The implementations that the suite runs on. A new one adds an entry to SUBJECTS and passes the suite unchanged.

An entry opens an exchange that is not started yet, and the market around it. An implementation declares what it can't
do in its `Capabilities`; the suite uses those and never a name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.connector.server import Connector
from opensqt.model.account import PositionMode
from opensqt.model.order import Order
from opensqt.testing.contract.bench import OTHER_SYMBOL, SYMBOL, Open, Opened, Subject, ref
from opensqt.testing.exchange import InMemoryExchange
from tests.contract.simulated import simulated

_MINUTE_NS = 60_000_000_000


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

    async def stop_trading(self) -> None:
        self.exchange.set_untradable(SYMBOL, "SETTLING")

    async def pay_funding(self, rate: Decimal) -> None:
        self.exchange.pay_funding(SYMBOL, rate)


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


SUBJECTS = (
    Subject("memory", memory, idempotent=True),
    Subject("remote-memory", remote(memory), idempotent=True),
    Subject("binance", simulated("binance"), idempotent=False),
    Subject("bitget", simulated("bitget"), idempotent=False),
    Subject("bitget-unified", simulated("bitget", "unified"), idempotent=False),
    Subject("remote-bitget", remote(simulated("bitget")), idempotent=True),
    Subject("bybit", simulated("bybit"), idempotent=False),
    Subject("gate", simulated("gate"), idempotent=False),
    Subject("okx", simulated("okx"), idempotent=False),
    Subject("remote-okx", remote(simulated("okx")), idempotent=True),
)
"""The subjects of every run: each adapter, and a connector before three exchanges.

A connector has no code for a venue: it knows what it serves by the protocol and by the declared capabilities. Bitget
and OKX differ most in those: OKX amends orders and has no margin mode that can be set, Bitget is the other way round.
"""
LARGE_SUBJECTS = tuple(
    Subject(f"remote-{venue}", remote(simulated(venue)), idempotent=True) for venue in ("binance", "bybit", "gate")
)
"""The subjects that --large adds: the connector before the other venues."""
