"""Writes and sends requests to Bitget, and follows the pages of its orders, trades and candles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from opensqt.model.account import MarginMode
from opensqt.model.market import INTERVALS_MS
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side
from opensqt.venues.bitget.parse import INTERVALS, MARGIN_MODE, TIME_IN_FORCE
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowError, last_id, member, objects, opening_ms
from opensqt.venues.transport.rest import Rest

_PAGE = 100
_RECENT_MS = 29 * 86_400_000
_RECENT_PAGE, _HISTORY_PAGE = 999, 199


class BitgetRequests:
    """Sends requests, and returns the `data` of the responses.

    Args:
        rest: Sends each request.
        now_ms: Returns the venue's time.
    """

    def __init__(self, rest: Rest, now_ms: Callable[[], int]) -> None:
        self._rest = rest
        self._now_ms = now_ms

    async def change(self, endpoint: str, params: Row, symbol: str = "") -> Any:
        """Send a request that changes something, once."""
        response = await self._rest.send(f"privateMixPostV2Mix{endpoint}", params, changes=True, symbol=symbol)
        return response.get("data")

    async def query(self, endpoint: str, params: Row, symbol: str = "", *, public: bool = False) -> Any:
        """Send a query."""
        access = "public" if public else "private"
        response = await self._rest.send(f"{access}MixGetV2Mix{endpoint}", params, symbol=symbol)
        # The venue may write a list without rows as null, but it always writes it.
        if "data" not in response:
            raise RowError("data: expected in the response, found none")
        return response["data"]

    async def pages(
        self, endpoint: str, params: Row, name: str, id_field: str, symbol: str, *, newest_only: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Query page by page, newest first, until one is not full.

        Args:
            endpoint: The list.
            params: Parameters that select the rows.
            name: Field of the response that holds the rows.
            id_field: Field of a row by which the next page begins.
            symbol: Symbol for the error's own field.
            newest_only: Whether to stop after the newest page.
        """
        query = params | {"limit": str(_PAGE)}
        while True:
            page = objects(member(await self.query(endpoint, query, symbol), name) or [], name)
            yield page
            if newest_only or len(page) < _PAGE:
                return
            query["idLessThan"] = last_id(page, id_field)

    async def candles(
        self, where: Row, interval: str, limit: int, start_ms: int | None, end_ms: int | None
    ) -> list[list[str]]:
        """Query the newest candles, or those that open in a window, the oldest where it holds too many."""
        if start_ms is None and end_ms is None:
            return await self._candles(where, interval, {"limit": str(limit)})
        length_ms = INTERVALS_MS[interval]
        if start_ms is None:
            start_ms = (end_ms or 0) // length_ms * length_ms - (limit - 1) * length_ms
        first_ms = -(-start_ms // length_ms) * length_ms
        last_ms = first_ms + (limit - 1) * length_ms
        return await self._between(where, interval, first_ms, last_ms if end_ms is None else min(last_ms, end_ms))

    async def _between(self, where: Row, interval: str, first_ms: int, last_ms: int) -> list[list[str]]:
        """Query the candles that open from *first_ms* to *last_ms*; old ones come from another endpoint."""
        length_ms = INTERVALS_MS[interval]
        recent = first_ms > self._now_ms() - _RECENT_MS
        size = _RECENT_PAGE if recent else _HISTORY_PAGE
        rows: list[list[str]] = []
        while first_ms <= last_ms:
            until_ms = min(first_ms + size * length_ms, last_ms + length_ms)
            window = {"startTime": str(first_ms), "endTime": str(until_ms), "limit": str(size + 1)}
            page = await self._candles(where, interval, window, recent=recent)
            # A row that can't be read is kept, to be set aside.
            rows += [row for row in page if not opening_ms(row) or first_ms <= opening_ms(row) < until_ms]
            first_ms = until_ms
        return rows

    async def _candles(self, where: Row, interval: str, window: Row, *, recent: bool = True) -> list[list[str]]:
        endpoint = "MarketCandles" if recent else "MarketHistoryCandles"
        params = where | {"granularity": INTERVALS[interval], **window}
        rows = await self.query(endpoint, params, where["symbol"], public=True)
        return sorted(objects(rows, "data"), key=opening_ms)


def order_request(request: OrderRequest, margin_mode: MarginMode = MarginMode.CROSS) -> Row:
    """Return the parameters of a new order, except for those that a batch has once: product, symbol, margin coin.

    Args:
        request: The order.
        margin_mode: That of the symbol, which holds unless the request names isolated margin.
    """
    isolated = MarginMode.ISOLATED in (request.margin_mode, margin_mode)
    params = {
        "marginMode": MARGIN_MODE[MarginMode.ISOLATED if isolated else MarginMode.CROSS],
        "size": format(request.quantity, "f"),
        "orderType": request.order_type.value.lower(),
        "clientOid": request.client_order_id,
        **order_side(request),
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params |= {"price": format(request.price, "f"), "force": TIME_IN_FORCE[request.time_in_force]}
    return params


def order_side(request: OrderRequest) -> Row:
    """Return the fields of an order's side: in hedge mode `side` names the position, and `tradeSide` the action."""
    if request.position_side is PositionSide.BOTH:
        more = {"reduceOnly": "YES"} if request.reduce_only else {}
        return {"side": request.side.value.lower(), **more}
    opens = Side.BUY if request.position_side is PositionSide.LONG else Side.SELL
    return {"side": opens.value.lower(), "tradeSide": "open" if request.side is opens else "close"}


def order_ref(ref: OrderRef) -> Row:
    """Return the parameter that names an order; the client's id wins where both are given, unlike at the venue."""
    return {"clientOid": ref.client_order_id} if ref.client_order_id else {"orderId": ref.order_id}
