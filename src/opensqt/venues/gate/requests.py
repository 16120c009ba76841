"""Writes and sends requests to Gate, and follows the pages of its lists."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderType, PositionSide, Side
from opensqt.model.venue import SymbolRules
from opensqt.venues.gate.errors import NO_POSITION
from opensqt.venues.gate.parse import POSITION_SIDE_BY_MODE, PREFIX, TIME_IN_FORCE
from opensqt.venues.parsing import Row
from opensqt.venues.rows import all_rows, decimal, member, objects
from opensqt.venues.transport.rest import Rest

USDT = {"settle": "usdt"}
BOOKED_WITHIN_MS = 10_000
"""A trade that closed something, and is not in the account book after this time, earned nothing."""
FILLS_PAGE = 1_000
_PAGE = 100
_CLIENT_ID = re.compile(r"[0-9A-Za-z_.-]{1,28}")


class GateRequests:
    """Sends requests of the contracts that are settled in USDT, and returns the decoded responses.

    Args:
        rest: Sends each request.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def change(self, endpoint: str, params: Row, symbol: str = "") -> Any:
        """Send a request that changes something, once."""
        return await self._rest.send(f"privateFutures{endpoint}", USDT | params, changes=True, symbol=symbol)

    async def query(self, endpoint: str, params: Row | None = None, symbol: str = "", *, public: bool = False) -> Any:
        """Send a query."""
        name = f"{'public' if public else 'private'}Futures{endpoint}"
        return await self._rest.send(name, USDT | (params or {}), symbol=symbol)

    async def pages(self, endpoint: str, params: Row, symbol: str = "", size: int = _PAGE) -> AsyncIterator[list[Row]]:
        """Query every page of a list."""
        offset = 0
        while True:
            page = objects(
                await self.query(endpoint, params | {"limit": str(size), "offset": str(offset)}, symbol), endpoint
            )
            yield page
            if len(page) < size:
                return
            offset += len(page)

    async def fills(self, contract: str, symbol: str, since_ms: int) -> list[Row]:
        """Query trades, newest first: all since a time, or the newest page where the time is 0.

        A trade that is made between two pages shifts the rows, so that some repeat, and none is missed.
        """
        params = {"contract": contract}
        if not since_ms:
            newest = await self.query("GetSettleMyTrades", params | {"limit": str(FILLS_PAGE)}, symbol)
            return objects(newest, "my_trades")
        params["from"] = str(since_ms // 1000)
        return await all_rows(self.pages("GetSettleMyTradesTimerange", params, symbol, FILLS_PAGE))

    async def profits(self, contract: str, symbol: str, fills: Sequence[Fill]) -> dict[str, Decimal]:
        """Query the profits of trades, before fees, by trade id; the account book has them."""
        times = [fill.event_time_ms // 1000 for fill in fills]
        params = {"contract": contract, "type": "pnl", "from": str(min(times))}
        params["to"] = str(max(times) + BOOKED_WITHIN_MS // 1000)
        found: dict[str, Decimal] = {}
        for row in await all_rows(self.pages("GetSettleAccountBook", params, symbol, FILLS_PAGE)):
            name = str(member(row, "trade_id") or "")
            found[name] = found.get(name, Decimal(0)) + decimal(row.get("change"), "change")
        return found

    async def positions(self, contract: str, symbol: str, *, hedge: bool) -> list[Row]:
        """Query the one position of a symbol, or its two; a contract that was never traded has flat ones."""
        dual = "DualComp" if hedge else ""
        try:
            found = await self.query(f"GetSettle{dual}PositionsContract", {"contract": contract}, symbol)
        except ExchangeError as error:
            if error.venue_code != NO_POSITION:
                raise
            modes = [mode for mode, side in POSITION_SIDE_BY_MODE.items() if (side is not PositionSide.BOTH) is hedge]
            return [{"contract": contract, "size": 0, "entry_price": 0, "leverage": 0, "mode": mode} for mode in modes]
        return found if isinstance(found, list) else [found]


def order_request(request: OrderRequest, market_id: str, rules: SymbolRules, *, hedge: bool) -> Row:
    """Return the parameters of a new order, its quantity in contracts."""
    contracts = request.side.sign * request.quantity / rules.contract_size
    closes = Side.SELL if request.position_side is PositionSide.LONG else Side.BUY
    market = request.order_type is OrderType.MARKET or request.price is None
    return {
        "contract": market_id,
        "size": _size(contracts),
        "price": "0" if market else format(request.price, "f"),
        "tif": "ioc" if market else TIME_IN_FORCE[request.time_in_force],
        "text": PREFIX + request.client_order_id,
        # In dual mode the sign and this flag name the position together.
        "reduce_only": request.side is closes if hedge else request.reduce_only,
    }


def amend_request(order: Order, request: AmendRequest, rules: SymbolRules) -> Row:
    """Return the parameters of an amendment: only what changes, the quantity in contracts with the sign of the side."""
    params: Row = {"order_id": order.order_id, "amend_text": request.amend_id}
    if request.price is not None and request.price != order.price:
        params["price"] = format(request.price, "f")
    if request.quantity is not None and request.quantity != order.quantity:
        params["size"] = _size(order.side.sign * request.quantity / rules.contract_size)
    return params


def _size(contracts: Decimal) -> int | str:
    return int(contracts) if contracts == int(contracts) else format(contracts, "f")


def order_ref(ref: OrderRef) -> Row:
    """Return the path parameter that names an order; the client's id wins where both are given.

    Raises:
        OrderNotFound: The text can't be an id: in a path it would name something else.
    """
    if ref.client_order_id and _CLIENT_ID.fullmatch(ref.client_order_id):
        return {"order_id": PREFIX + ref.client_order_id}
    if not ref.client_order_id and ref.order_id.isascii() and ref.order_id.isdecimal():
        return {"order_id": ref.order_id}
    raise OrderNotFound("no order can have this id on gate", symbol=ref.symbol)
