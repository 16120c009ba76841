"""Finds out what became of orders whose answers were lost; of many at once with one question for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from opensqt.connector.orders.resolve import resolve
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest

_FEW = 8
"""So many unresolved orders are asked for one by one, which also finds those that ended already."""
_ASKED_AT_ONCE = 32
_LISTED_FOR_NS = 500_000_000
"""How old a list of open orders may be: it proves presence at its time, and nothing else is taken from it."""


class Resolver:
    """The `Resolve` of an OrderManager.

    While many orders are unresolved, each is looked for among the open ones, with one question for all. Only when that
    was answered, and the time has come when its absence can be proven, an order is asked for by itself.

    Args:
        recv_window_ms: How long after its timestamp the venue takes a signed request.
        visibility_margin_ms: How long the venue's queries may lag behind its acceptance.
        clock: Monotonic nanoseconds.
    """

    def __init__(
        self,
        *,
        recv_window_ms: int = 5_000,
        visibility_margin_ms: int = 5_000,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._recv_window_ms = recv_window_ms
        self._visibility_margin_ms = visibility_margin_ms
        self._clock = clock
        self._unresolved = 0
        self._lists: dict[str, _ListedOrders] = {}
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def __call__(self, exchange: Exchange, request: OrderRequest, sent_ns: int) -> Order | None:
        """Ask until the order is proven present, or absent (None)."""
        proof_ns = sent_ns + (self._recv_window_ms + self._visibility_margin_ms) * 1_000_000
        self._unresolved += 1
        try:
            return await resolve(
                _SharedQueries(self, exchange, proof_ns),
                request,
                sent_ns=sent_ns,
                recv_window_ms=self._recv_window_ms,
                visibility_margin_ms=self._visibility_margin_ms,
                clock=self._clock,
            )
        finally:
            self._unresolved -= 1
            if not self._unresolved:
                self._lists.clear()

    async def ask(self, exchange: Exchange, ref: OrderRef, proof_ns: int) -> Order:
        """Return the order as the venue reports it.

        Raises:
            OrderNotFound: It is not reported; proves its absence only from *proof_ns* on.
        """
        if self._unresolved > _FEW:
            listed = self._lists.setdefault(ref.symbol, _ListedOrders(ref.symbol, self._clock))
            # While the venue does not answer this one question for all, none of them is asked for by itself.
            order = (await listed.now(exchange)).get(ref.client_order_id)
            if order is not None:
                return order
            if self._clock() < proof_ns:
                raise OrderNotFound(f"order {ref.client_order_id}: not among the open ones", symbol=ref.symbol)
        async with self._asking:
            return await exchange.get_order(ref)


@dataclass(frozen=True, slots=True)
class _SharedQueries:
    """Asks for one order, one by one or with the others."""

    resolver: Resolver
    exchange: Exchange
    proof_ns: int

    async def get_order(self, ref: OrderRef) -> Order:
        return await self.resolver.ask(self.exchange, ref, self.proof_ns)


@dataclass(slots=True)
class _ListedOrders:
    """A symbol's open orders by client id, asked for once for all who want them at about the same time."""

    symbol: str
    clock: Callable[[], int]
    answer: dict[str, Order] | ExchangeError = field(default_factory=dict)
    asked_ns: int | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def now(self, exchange: Exchange) -> dict[str, Order]:
        async with self.asking:
            if self.asked_ns is None or self.clock() - self.asked_ns > _LISTED_FOR_NS:
                await self._ask(exchange)
            if isinstance(self.answer, ExchangeError):
                raise self.answer
            return self.answer

    async def _ask(self, exchange: Exchange) -> None:
        try:
            orders = await exchange.get_open_orders(self.symbol)
            self.answer = {order.client_order_id: order for order in orders}
        except ExchangeError as error:
            self.answer = error
        self.asked_ns = self.clock()
