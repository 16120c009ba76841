"""Writes and sends requests to OKX, and follows the pages of its lists and candles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from opensqt.model.errors import OutcomeUnknown, Unreachable
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, OrderType, PositionSide
from opensqt.model.venue import SymbolRules
from opensqt.venues.okx.parse import POSITION_SIDE, TIME_IN_FORCE, contracts
from opensqt.venues.parsing import Row
from opensqt.venues.rows import last_id, opening_ms
from opensqt.venues.transport.rest import Rest

TAG = "opensqt"
"""Marks our orders, so that the venue's countdown cancels no others."""
_PAGE = 100
_CANDLES_PAGE = 300


class OkxRequests:
    """Sends requests, and returns the rows of the responses.

    Args:
        client: The tapped ccxt client.
        rest: Sends each query, and translates the errors.
    """

    def __init__(self, client: Any, rest: Rest) -> None:
        self._client = client
        self._rest = rest

    async def change(self, endpoint: str, params: Row | list[Row], symbol: str = "") -> list[Row]:
        """Send a request that changes something, once."""
        method = getattr(self._client, endpoint)
        response = await self._rest.call(lambda: method(params), changes=True, symbol=symbol)
        rows = response.get("data") if isinstance(response, dict) else None
        if not isinstance(rows, list) or not rows:
            raise OutcomeUnknown("the venue's response could not be read", symbol=symbol)
        return rows

    async def query(self, endpoint: str, params: Row | None = None, symbol: str = "") -> list[Any]:
        """Send a query."""
        response = await self._rest.send(endpoint, params, symbol=symbol)
        rows = response.get("data") if isinstance(response, dict) else None
        if not isinstance(rows, list):
            raise Unreachable("the venue's response could not be read", symbol=symbol)
        return rows

    async def pages(
        self, endpoint: str, key: str, params: Row, symbol: str = "", *, newest_only: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Query all pages of a list that comes newest first.

        Args:
            endpoint: The list.
            key: Field of the last row that names the next, older page.
            params: Parameters that select the rows.
            symbol: Symbol for the error's own field.
            newest_only: Whether to stop after the newest page.
        """
        query = params | {"limit": str(_PAGE)}
        while True:
            page = await self.query(endpoint, query, symbol)
            yield page
            if newest_only or len(page) < _PAGE:
                return
            query = query | {"after": last_id(page, key)}

    async def candles(self, params: Row, limit: int, end_ms: int | None, symbol: str) -> list[list[str]]:
        """Query candles, newest first: the recent ones of one endpoint, then the older ones of another.

        Args:
            params: Parameters that select the symbol and the interval.
            limit: Maximum number of candles.
            end_ms: Opening of the newest candle to return; None is the one that forms now.
            symbol: Symbol for the error's own field.
        """
        rows: list[list[str]] = []
        endpoints = ["publicGetMarketHistoryCandles", "publicGetMarketCandles"]
        while endpoints and len(rows) < limit:
            oldest_ms = min((open_ms for row in rows if (open_ms := opening_ms(row))), default=0)
            after_ms = oldest_ms or (None if end_ms is None else end_ms + 1)
            count = min(_CANDLES_PAGE, limit - len(rows))
            query = params | {"limit": str(count)} | ({} if after_ms is None else {"after": str(after_ms)})
            page = await self.query(endpoints[-1], query, symbol)
            rows += page
            if len(page) < count:
                endpoints.pop()
            elif not any(map(opening_ms, page)):
                # A page without a readable row names no next one.
                break
        return rows


def order_request(request: OrderRequest, market_id: str, rules: SymbolRules) -> Row:
    """Return the parameters of a new order, its quantity in contracts."""
    params = {
        "instId": market_id,
        "tdMode": request.margin_mode.value.lower(),
        "side": request.side.value.lower(),
        "posSide": POSITION_SIDE[request.position_side],
        "ordType": "market",
        "sz": contracts(request.quantity, rules),
        "clOrdId": request.client_order_id,
        "tag": TAG,
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params |= {"ordType": TIME_IN_FORCE[request.time_in_force], "px": format(request.price, "f")}
    if request.reduce_only and request.position_side is PositionSide.BOTH:
        # In long/short mode the position side implies it.
        params["reduceOnly"] = "true"
    return params


def amend_request(order: Order, request: AmendRequest, market_id: str, rules: SymbolRules) -> Row:
    """Return the parameters of an amendment: only what changes, the quantity in contracts."""
    params = {"instId": market_id, "ordId": order.order_id, "reqId": request.amend_id}
    if request.price is not None and request.price != order.price:
        params["newPx"] = format(request.price, "f")
    if request.quantity is not None and request.quantity != order.quantity:
        params["newSz"] = contracts(request.quantity, rules)
    return params


def order_ref(ref: OrderRef, market_id: str) -> Row:
    """Return the parameters that name an order; the client's id wins where both are given."""
    name = {"clOrdId": ref.client_order_id} if ref.client_order_id else {"ordId": ref.order_id}
    return {"instId": market_id, **name}
