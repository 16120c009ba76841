"""Bybit's requests: its envelope, pages and windows of a week, and the codes that a batch tells beside its rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt

from opensqt.model.errors import ExchangeError
from opensqt.model.order import OrderRef, OrderRequest, OrderType
from opensqt.venues.bybit import errors as venue_errors
from opensqt.venues.bybit import parse
from opensqt.venues.transport.errors import VenueReply, translate
from opensqt.venues.transport.rest import Rest

Row = dict[str, Any]
_LINEAR = {"category": "linear"}
_WEEK_MS = 7 * 86_400_000
_WEEKS_KEPT = 26


class Requests:
    """Sends requests of one category and opens the envelopes of the answers."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def post(self, endpoint: str, params: Row, symbol: str = "") -> Row:
        """Send what changes something, and answer the envelope."""
        answer: Row = await self._rest.send(f"privatePostV5{endpoint}", _LINEAR | params, changes=True, symbol=symbol)
        return answer

    async def settle(self, endpoint: str, params: Row, symbol: str = "") -> None:
        """Change a setting; that it was so already is no error."""
        try:
            await self.post(endpoint, params, symbol)
        except ExchangeError as error:
            if error.venue_code not in venue_errors.NOT_MODIFIED:
                raise

    async def get(self, endpoint: str, params: Row, symbol: str = "", *, public: bool = False) -> Row:
        """Ask, and answer the result."""
        name = f"{'public' if public else 'private'}GetV5{endpoint}"
        result: Row = (await self._rest.send(name, _LINEAR | params, symbol=symbol))["result"]
        return result

    async def pages(self, endpoint: str, params: Row, limit: int, symbol: str = "") -> list[Row]:
        """Ask for all rows, page by page."""
        rows: list[Row] = []
        query = params | {"limit": str(limit)}
        while True:
            answer = await self.get(endpoint, query, symbol)
            rows += answer["list"]
            if not answer["list"] or not answer.get("nextPageCursor"):
                return rows
            query = query | {"cursor": answer["nextPageCursor"]}

    async def newest_trades(self, params: Row, symbol: str) -> list[Row]:
        """Ask for the newest page of trades, oldest first."""
        return _trades((await self.get("ExecutionList", params | {"limit": "100"}, symbol))["list"])

    async def trades(self, params: Row, symbol: str, since_ms: int, now_ms: int) -> list[Row]:
        """Ask for the trades since a time, oldest first; a window holds a week at most."""
        rows: list[Row] = []
        first_ms = max(since_ms, now_ms - _WEEKS_KEPT * _WEEK_MS)
        for start_ms in range(first_ms, max(now_ms, first_ms) + 1, _WEEK_MS):
            window = {"startTime": str(start_ms), "endTime": str(start_ms + _WEEK_MS - 1)}
            rows += await self.pages("ExecutionList", params | window, 100, symbol)
        return _trades(rows)

    async def profits(self, market_id: str, trades: list[Row], symbol: str) -> dict[str, str]:
        """Ask what the trades that closed something earned: the trade query does not tell, the money's log does."""
        times = [int(row["execTime"]) for row in trades if Decimal(row.get("closedSize") or "0")]
        if not times:
            return {}
        log: list[Row] = []
        for start_ms in range(min(times), max(times) + 1, _WEEK_MS):
            end_ms = min(start_ms + _WEEK_MS - 1, max(times))
            window = {"startTime": str(start_ms), "endTime": str(end_ms), "type": "TRADE", "currency": parse.ASSET}
            log += await self.pages("AccountTransactionLog", window, 50, symbol)
        return {row["tradeId"]: row["cashFlow"] for row in log if row["symbol"] == market_id}


def order_params(market_id: str, request: OrderRequest) -> Row:
    """Write an order as the venue wants it."""
    params: Row = {
        "symbol": market_id,
        "side": parse.SIDE[request.side],
        "orderType": parse.TYPE[request.order_type],
        "qty": format(request.quantity, "f"),
        "orderLinkId": request.client_order_id,
        "positionIdx": parse.POSITION_INDEX[request.position_side],
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params["price"] = format(request.price, "f")
        params["timeInForce"] = parse.TIME_IN_FORCE[request.time_in_force]
    if request.reduce_only:
        params["reduceOnly"] = True
    return params


def ref_params(market_id: str, ref: OrderRef) -> Row:
    """Name an order as the venue wants it; our id wins when both are given."""
    name = {"orderLinkId": ref.client_order_id} if ref.client_order_id else {"orderId": ref.order_id}
    return {"symbol": market_id, **name}


def refusals(answer: Row, symbol: str) -> list[ExchangeError | None]:
    """Read what a batch tells of each item beside its rows."""
    found: list[ExchangeError | None] = []
    for row in answer["retExtInfo"]["list"]:
        text = str(row["msg"])
        code = venue_errors.code_of(row["code"], text)
        reply = VenueReply(error=ccxt.ExchangeError, http_status=200, code=code, message=text)
        found.append(None if code == "0" else translate(reply, venue_errors.CODES, changes=True, symbol=symbol))
    return found


def _trades(rows: list[Row]) -> list[Row]:
    """Leave the trades and sort them: rows come newest first, and within a millisecond in no order."""
    return sorted((row for row in reversed(rows) if parse.is_trade(row)), key=lambda row: int(row["execTime"]))
