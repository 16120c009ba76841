"""Finds out what became of Bitget's orders: placing and canceling answer nothing but the ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, TimeInForce
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import acknowledged_order

_FEW = 3
"""Up to so many orders are asked for one by one; more are looked up in one list first."""
_CANCEL_WAITS_S = (0.05, 0.2, 0.5, 0.0)


class Asked(Protocol):
    """Who answers."""

    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order."""
        ...

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders."""
        ...

    async def closed_orders(self, symbol: str) -> list[Order]:
        """Ask for the latest closed orders."""
        ...


class Outcomes:
    """Asks after orders that the venue took.

    Args:
        venue: Who answers.
    """

    def __init__(self, venue: Asked) -> None:
        self._venue = venue

    async def placed(self, request: OrderRequest, order_id: str, sent_ms: int) -> Order:
        """Answer an order that was accepted.

        A plain limit order works now. The others may have ended at once, post-only ones by being canceled. What can't
        be told yet is told as open, for the stream to mend.

        Raises:
            OutcomeUnknown: The venue gave no id, and does not tell the order yet.
        """
        plain = request.order_type is OrderType.LIMIT and request.time_in_force is TimeInForce.GTC
        if plain and order_id and not request.reduce_only:
            return acknowledged_order(request, order_id, sent_ms)
        try:
            return await self._venue.order(OrderRef(symbol=request.symbol, client_order_id=request.client_order_id))
        except (ExchangeError, *PARSE_ERRORS) as error:
            if order_id:
                return acknowledged_order(request, order_id, sent_ms)
            # A reduce-only order that takes the place of others is accepted without an id.
            text = f"the order was accepted, but can't be told yet: {error}"
            raise OutcomeUnknown(text, symbol=request.symbol) from error

    async def placed_batch(
        self, requests: Sequence[OrderRequest], taken: Mapping[str, str], sent_ms: int
    ) -> dict[str, Order | ExchangeError]:
        """Answer the orders of a batch that were accepted, by client id.

        Args:
            requests: Those that were accepted.
            taken: The venue's ids by ours.
            sent_ms: The market's time before they were sent.
        """
        working: dict[str, Order] = {}
        if len(requests) > _FEW and any(request.time_in_force is not TimeInForce.GTC for request in requests):
            working = await _listed(self._venue.open_orders(requests[0].symbol))
        results: dict[str, Order | ExchangeError] = {}
        for request in requests:
            name = request.client_order_id
            try:
                results[name] = working.get(name) or await self.placed(request, taken[name], sent_ms)
            except ExchangeError as error:
                results[name] = error
        return results

    async def canceled(self, ref: OrderRef) -> Order:
        """Answer an order whose cancel was accepted; queries may lag behind that.

        Raises:
            OutcomeUnknown: The venue does not call it closed.
        """
        status = ""
        try:
            for wait_s in _CANCEL_WAITS_S:
                order = await self._venue.order(ref)
                if order.status.is_closed:
                    return order
                status = order.status
                await asyncio.sleep(wait_s)
        except OrderNotFound as error:
            raise OutcomeUnknown(f"the cancel was accepted: {error}", symbol=ref.symbol) from error
        raise OutcomeUnknown(f"the cancel was accepted; the order is still {status}", symbol=ref.symbol)

    async def canceled_batch(self, symbol: str, refs: Sequence[OrderRef]) -> dict[OrderRef, Order | ExchangeError]:
        """Answer the orders of a batch whose cancel was accepted."""
        ended = await _listed(self._venue.closed_orders(symbol)) if len(refs) > _FEW else {}
        results: dict[OrderRef, Order | ExchangeError] = {}
        for ref in refs:
            try:
                results[ref] = ended.get(ref.client_order_id or ref.order_id) or await self.canceled(ref)
            except ExchangeError as error:
                results[ref] = error
        return results


async def _listed(answer: Awaitable[list[Order]]) -> dict[str, Order]:
    """Answer the orders of a list by either id; none where it can't be had, and each order is asked for then."""
    try:
        orders = await answer
    except (ExchangeError, *PARSE_ERRORS):
        return {}
    return {name: order for order in orders for name in (order.client_order_id, order.order_id)}
