"""Writes and sends requests to Bybit, and follows pages and windows of a week."""

from __future__ import annotations

from collections.abc import AsyncIterator

from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, OrderType
from opensqt.venues.bybit.causes import changes_position
from opensqt.venues.bybit.parse import ASSET, POSITION_SIDE, SIDE, TIME_IN_FORCE, TYPE
from opensqt.venues.parsing import Row
from opensqt.venues.rows import RowError, all_rows, decimal, member, objects, sort_number
from opensqt.venues.transport.rest import Rest

_LINEAR = {"category": "linear"}
DERIVATIVES = "DERIVATIVES"
_WEEK_MS = 7 * 86_400_000
_WEEKS_KEPT = 26
_LOG_TYPES = {"BustTrade": "LIQUIDATION", "AdlTrade": "ADL", "Settle": "SETTLEMENT", "Delivery": "DELIVERY"}
"""Types of the transaction log by execType: https://bybit-exchange.github.io/docs/v5/enum#typeuta-translog."""


class BybitRequests:
    """Sends requests of the category `linear`.

    Args:
        rest: Sends each request.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def change(self, endpoint: str, params: Row, symbol: str = "") -> Row:
        """Send a request that changes something, once, and return the whole response."""
        response: Row = await self._rest.send(f"privatePostV5{endpoint}", _LINEAR | params, changes=True, symbol=symbol)
        return response

    async def set_protection(self, window_s: int) -> None:
        """Set the window of the account's disconnection protection for derivatives."""
        params = {"product": DERIVATIVES, "timeWindow": window_s}
        await self._rest.send("privatePostV5OrderDisconnectedCancelAll", params, changes=True)

    async def protection(self) -> int | None:
        """Query that window in seconds; None where the venue has not enabled the protection for the account."""
        response = await self._rest.send("privateGetV5AccountQueryDcpInfo")
        rows = objects(member(response["result"], "dcpInfos"), "dcpInfos")
        found = (row for row in rows if row.get("product") == DERIVATIVES and row.get("dcpStatus") == "ON")
        return next((int(row["timeWindow"]) for row in found), None)

    async def query(self, endpoint: str, params: Row, symbol: str = "", *, public: bool = False) -> Row:
        """Send a query, and return the `result` of the response."""
        name = f"{'public' if public else 'private'}GetV5{endpoint}"
        result: Row = member(await self._rest.send(name, _LINEAR | params, symbol=symbol), "result")
        return result

    async def pages(self, endpoint: str, params: Row, limit: int, symbol: str = "") -> AsyncIterator[list[Row]]:
        """Query every page of a list."""
        query = params | {"limit": str(limit)}
        while True:
            page = await self.query(endpoint, query, symbol)
            rows = objects(member(page, "list"), "list")
            yield rows
            if not rows or not page.get("nextPageCursor"):
                return
            query = query | {"cursor": page["nextPageCursor"]}

    async def fills(self, params: Row, symbol: str, since_ms: int, now_ms: int) -> list[Row]:
        """Query trades, oldest first: all since a time, or the newest page where the time is 0.

        Args:
            params: Parameters that select the symbol.
            symbol: Symbol for the error's own field.
            since_ms: The oldest time; the venue keeps half a year.
            now_ms: The market's time, at which the last window ends. A window holds a week at most.
        """
        if not since_ms:
            newest = await self.query("ExecutionList", params | {"limit": "100"}, symbol)
            return _trades(objects(member(newest, "list"), "list"))
        rows: list[Row] = []
        first_ms = max(since_ms, now_ms - _WEEKS_KEPT * _WEEK_MS)
        for start_ms in range(first_ms, max(now_ms, first_ms) + 1, _WEEK_MS):
            window = {"startTime": str(start_ms), "endTime": str(start_ms + _WEEK_MS - 1)}
            rows += await all_rows(self.pages("ExecutionList", params | window, 100, symbol))
        return _trades(rows)

    async def profits(self, market_id: str, trades: list[Row], symbol: str) -> dict[str, str]:
        """Query the profits of executions that closed something and do not have them: the transaction log does."""
        times: dict[str, list[int]] = {}
        for row in trades:
            if _closes(row) and row.get("execPnl") in (None, ""):
                times.setdefault(_LOG_TYPES.get(str(row.get("execType")), "TRADE"), []).append(_time_ms(row))
        log: list[Row] = []
        for kind, of_kind in times.items():
            for start_ms in range(min(of_kind), max(of_kind) + 1, _WEEK_MS):
                end_ms = min(start_ms + _WEEK_MS - 1, max(of_kind))
                window = {"startTime": str(start_ms), "endTime": str(end_ms), "type": kind, "currency": ASSET}
                log += await all_rows(self.pages("AccountTransactionLog", window, 50, symbol))
        booked = [row for row in log if isinstance(row, dict) and row.get("symbol") == market_id and "cashFlow" in row]
        return {str(row.get("tradeId")): row["cashFlow"] for row in booked}


def order_request(request: OrderRequest, market_id: str) -> Row:
    """Return the parameters of a new order."""
    params: Row = {
        "symbol": market_id,
        "side": SIDE[request.side],
        "orderType": TYPE[request.order_type],
        "qty": format(request.quantity, "f"),
        "orderLinkId": request.client_order_id,
        "positionIdx": POSITION_SIDE[request.position_side],
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params["price"] = format(request.price, "f")
        params["timeInForce"] = TIME_IN_FORCE[request.time_in_force]
    if request.reduce_only:
        params["reduceOnly"] = True
    return params


def amend_request(order: Order, request: AmendRequest, market_id: str) -> Row:
    """Return the parameters of an amendment: only what changes, as the venue wants it."""
    params: Row = {"symbol": market_id, "orderId": order.order_id}
    if request.price is not None and request.price != order.price:
        params["price"] = format(request.price, "f")
    if request.quantity is not None and request.quantity != order.quantity:
        params["qty"] = format(request.quantity, "f")
    return params


def order_ref(ref: OrderRef, market_id: str) -> Row:
    """Return the parameters that name an order; the client's id wins where both are given."""
    name = {"orderLinkId": ref.client_order_id} if ref.client_order_id else {"orderId": ref.order_id}
    return {"symbol": market_id, **name}


def _trades(rows: list[Row]) -> list[Row]:
    """Return the executions that change a position, sorted: they come newest first, unordered within a millisecond."""
    return sorted((row for row in reversed(rows) if changes_position(row)), key=_time_ms)


def _time_ms(row: Row) -> int:
    """Return the time of an execution; 0 for a row that can't be read, which is set aside later."""
    return sort_number(row.get("execTime")) if isinstance(row, dict) else 0


def _closes(row: Row) -> bool:
    """Return whether a trade closed something; False for a row that can't be read."""
    try:
        return bool(_time_ms(row)) and bool(decimal(row.get("closedSize") or "0", "closedSize"))
    except RowError:
        return False
