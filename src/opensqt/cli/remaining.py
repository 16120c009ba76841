"""The remaining orders and positions of the kill switch, as the connector and the exchange report them.

Only a report counts: an order in flight remains until its outcome is proven, and a failed query does not prove that
anything is gone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from opensqt.client.exchange import RemoteExchange
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.account import Position
from opensqt.model.errors import (
    CredentialsRefused,
    ExchangeError,
    PermissionDenied,
    RequestError,
    TokenRefused,
)
from opensqt.model.order import OrderRef
from opensqt.model.venue import POSITIONS_CHECK, HaltedOrders

T = TypeVar("T")
FINAL = (RequestError, TokenRefused, PermissionDenied, CredentialsRefused)
"""Errors that a retry can't change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelScope:
    """The orders and positions to end.

    Attributes:
        symbol: Canonical; empty means every symbol.
        strategy: Orders whose client_order_id is of this strategy are included.
        everything: All other orders are included too.
        flatten: Positions are closed too.
        hold: Trading stays halted afterwards.
        within_s: Time limit for the proof that nothing is left.
    """

    symbol: str
    strategy: str
    everything: bool = False
    flatten: bool = False
    hold: bool = False
    within_s: float = 60.0

    def includes(self, ref: OrderRef) -> bool:
        """Return whether an order is in the scope."""
        return self.everything or is_own_order(ref, self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """Result of one query."""

    open: tuple[OrderRef, ...] = ()
    in_flight: tuple[OrderRef, ...] = ()
    positions: tuple[Position, ...] = ()
    """Positions that are not flat."""
    failures: tuple[str, ...] = ()
    """Failed queries, with their reasons."""

    @property
    def nothing(self) -> bool:
        """Whether every query succeeded and nothing is left."""
        return not (self.open or self.in_flight or self.positions or self.failures)

    @property
    def orders(self) -> tuple[OrderRef, ...]:
        """The orders that are open or in flight."""
        return self.open + self.in_flight

    def summary(self) -> str:
        """Describe it in one line; empty when nothing is left."""
        return ", ".join(
            [
                *(f"{_plural(count)} on {symbol}" for symbol, count in _by_symbol(self.open)),
                *(f"{_plural(count)} in flight on {symbol}" for symbol, count in _by_symbol(self.in_flight)),
                *(f"a position of {_held(one)} {one.symbol}" for one in self.positions),
            ]
        )

    def lines(self) -> Iterator[str]:
        """Yield a line for each remaining order and position, and for each failed query."""
        for title, refs in (("open", self.open), ("in flight", self.in_flight)):
            yield from (f"{title}: {ref.client_order_id or ref.order_id} on {ref.symbol}" for ref in refs)
        yield from (f"position: {_held(one)} {one.symbol}" for one in self.positions)
        yield from self.failures


def _held(position: Position) -> str:
    """Describe the quantity; each part of it where it is held under both margin modes."""
    if not position.isolated_quantity:
        return _plain(position.quantity)
    return " and ".join(f"{_plain(held)} {mode.lower()}" for mode, held in position.parts.items())


def is_own_order(ref: OrderRef, strategy: str) -> bool:
    """Return whether the order's id is one that the strategy makes for its symbol."""
    return OrderIds(strategy, ref.symbol).read(ref.client_order_id) is not None


def known_to_connector(halted: HaltedOrders | None, scope: CancelScope) -> Remaining:
    """Return the orders that are left by the connector's response to a halt; nothing without a response."""
    if halted is None:
        return Remaining()
    return Remaining(
        open=tuple(filter(scope.includes, halted.open)), in_flight=tuple(filter(scope.includes, halted.in_flight))
    )


async def query_remaining(exchange: RemoteExchange, scope: CancelScope, known: Remaining) -> Remaining:
    """Query the venue for what is left.

    Args:
        exchange: Started.
        scope: The orders and positions to end.
        known: What the connector reported right before this.

    Raises:
        ExchangeError: One of `FINAL`: the queries can't succeed at all.
    """
    (orders, no_orders), (held, no_positions), (unread, no_status) = await asyncio.gather(
        _query(exchange.get_open_orders(scope.symbol), "which orders are open"),
        _query(exchange.get_positions(scope.symbol) if scope.flatten else _nothing(), "which positions are held"),
        _query(
            _unread_positions(exchange) if scope.flatten and not scope.symbol else _nothing(),
            "whether all positions can be read",
        ),
    )
    found = {ref.client_order_id: ref for ref in known.open}
    for order in orders:
        ref = OrderRef(symbol=order.symbol, client_order_id=order.client_order_id, order_id=order.order_id)
        if scope.includes(ref):
            found[order.client_order_id or order.order_id] = ref
    return Remaining(
        open=tuple(found.values()),
        in_flight=known.in_flight,
        positions=tuple(position for position in held if not position.is_flat),
        failures=tuple(filter(None, (no_orders, no_positions, no_status, *unread))),
    )


async def _query(query: Awaitable[list[T]], what: str) -> tuple[list[T], str]:
    """Return the result of a query, and the reason why there is none."""
    try:
        return await query, ""
    except FINAL:
        raise
    except ExchangeError as error:
        return [], f"{what} is not known: {error.message}"


async def _nothing() -> list[Any]:
    return []


async def _unread_positions(exchange: RemoteExchange) -> list[str]:
    """Return what the connector says of positions that no query of positions shows, because they can't be read."""
    status = await exchange.get_status()
    return [check.reason for check in status.checks if check.name == POSITIONS_CHECK and not check.ok]


def _by_symbol(refs: Iterable[OrderRef]) -> list[tuple[str, int]]:
    return sorted(Counter(ref.symbol for ref in refs).items())


def _plural(orders: int) -> str:
    return f"{orders} order{'s' if orders > 1 else ''}"


def _plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"
