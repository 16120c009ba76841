"""Writes and sends requests to Binance, and follows the pages of its trades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec

from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, OrderType
from opensqt.venues.binance.parse import TIME_IN_FORCE
from opensqt.venues.parsing import Row
from opensqt.venues.rows import objects, sort_number
from opensqt.venues.transport.rest import Rest

_FILLS_PAGE = 1_000
_WEEK_MS = 7 * 86_400_000
_WEEKS_KEPT = 26


class BinanceRequests:
    """Sends requests, and returns the decoded responses.

    Args:
        rest: Sends each request.
        now_ms: Returns the venue's time.
    """

    def __init__(self, rest: Rest, now_ms: Callable[[], int]) -> None:
        self._rest = rest
        self._now_ms = now_ms

    async def change(self, endpoint: str, params: Row, symbol: str = "") -> Any:
        """Send a request that changes something, once."""
        return await self._rest.send(f"fapiPrivate{endpoint}", params, changes=True, symbol=symbol)

    async def query(self, endpoint: str, params: Row | None = None, symbol: str = "", *, public: bool = False) -> Any:
        """Send a query."""
        return await self._rest.send(f"fapi{'Public' if public else 'Private'}{endpoint}", params, symbol=symbol)

    async def open_orders(self, params: Row, symbol: str) -> AsyncIterator[Iterable[Any]]:
        """Query the open orders. All come in one response, so that each is decoded only when it is read."""
        yield map(msgspec.json.decode, objects(await self.query("GetOpenOrders", params, symbol), "openOrders"))

    async def fills(self, market_id: str, symbol: str, since_ms: int) -> list[Row]:
        """Query trades, oldest first: all since a time, or the newest page where the time is 0.

        A time window holds a week at most, so the first page that holds trades is searched, and then followed by id.
        """
        rows = await self._first_fills(market_id, symbol, since_ms)
        page = rows
        while (
            since_ms
            and page
            and _trade_number(page[-1])
            and (len(page) >= _FILLS_PAGE or _is_old(page[-1], self._now_ms()))
        ):
            page = await self._fills_page(market_id, symbol, fromId=str(_trade_number(page[-1]) + 1))
            rows = rows + page
        return rows

    async def _first_fills(self, market_id: str, symbol: str, since_ms: int) -> list[Row]:
        if not since_ms:
            return await self._fills_page(market_id, symbol)
        rows = await self._fills_page(market_id, symbol, startTime=str(since_ms))
        now_ms = self._now_ms()
        start_ms = max(since_ms + _WEEK_MS, now_ms - _WEEKS_KEPT * _WEEK_MS)
        while not rows and start_ms < now_ms:
            rows = await self._fills_page(market_id, symbol, startTime=str(start_ms))
            start_ms += _WEEK_MS
        return rows

    async def _fills_page(self, market_id: str, symbol: str, **params: str) -> list[Row]:
        query = {"symbol": market_id, "limit": str(_FILLS_PAGE), **params}
        rows = await self.query("GetUserTrades", query, symbol)
        return sorted(objects(rows, "userTrades"), key=_trade_number)


def order_request(request: OrderRequest, market_id: str, *, hedge: bool) -> Row:
    """Return the parameters of a new order."""
    params = {
        "symbol": market_id,
        "side": request.side.value,
        "type": request.order_type.value,
        "quantity": format(request.quantity, "f"),
        "newClientOrderId": request.client_order_id,
        "positionSide": request.position_side.value,
        "newOrderRespType": "RESULT",
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params["price"] = format(request.price, "f")
        params["timeInForce"] = TIME_IN_FORCE[request.time_in_force]
    if request.reduce_only and not hedge:
        # In hedge mode the position side implies it, and the venue refuses the flag.
        params["reduceOnly"] = "true"
    return params


def amend_request(order: Order, request: AmendRequest, market_id: str) -> Row:
    """Return the parameters of an amendment: the venue wants price, quantity and side, changed or not."""
    return {
        "symbol": market_id,
        "orderId": order.order_id,
        "side": order.side.value,
        "quantity": format(request.amended(order).quantity, "f"),
        "price": format(request.amended(order).price or 0, "f"),
    }


def order_ref(ref: OrderRef, market_id: str) -> Row:
    """Return the parameters that name an order; the client's id wins where both are given."""
    name = {"origClientOrderId": ref.client_order_id} if ref.client_order_id else {"orderId": ref.order_id}
    return {"symbol": market_id, **name}


def _trade_number(row: Any) -> int:
    """Return the id of a trade; 0 for a row that can't be read, which is set aside later."""
    return sort_number(row.get("id")) if isinstance(row, dict) else 0


def _is_old(row: Row, now_ms: int) -> bool:
    """Return whether trades after *row* may lie outside the week that its window held."""
    return 0 < sort_number(row.get("time")) < now_ms - _WEEK_MS
