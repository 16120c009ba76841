"""Writes and sends the requests of a unified account, and follows the pages of its lists.

https://www.bitget.com/api-doc/uta/intro
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from opensqt.model.account import MarginMode
from opensqt.model.order import OrderRequest, OrderType, PositionSide
from opensqt.venues.bitget.parse import MARGIN_MODE, TIME_IN_FORCE
from opensqt.venues.bitget.unified.parse import is_future
from opensqt.venues.parsing import Row
from opensqt.venues.rows import member, objects
from opensqt.venues.transport.rest import Rest

_PAGE = 100


class UnifiedRequests:
    """Sends requests, and returns the `data` of the responses.

    Args:
        rest: Sends each request.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def change(self, endpoint: str, params: Row | list[Row], symbol: str = "") -> Any:
        """Send a request that changes something, once."""
        response = await self._rest.send(f"privateUtaPostV3{endpoint}", params, changes=True, symbol=symbol)
        return response.get("data")

    async def query(self, endpoint: str, params: Row | None = None, symbol: str = "") -> Any:
        """Send a query."""
        return (await self._rest.send(f"privateUtaGetV3{endpoint}", params, symbol=symbol))["data"]

    async def pages(
        self, endpoint: str, params: Row, symbol: str, *, newest_only: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Query page by page, newest first, until one is not full; rows of other products are left out.

        Args:
            endpoint: The list.
            params: Parameters that select the rows.
            symbol: Symbol for the error's own field.
            newest_only: Whether to stop after the newest page.
        """
        query = params | {"limit": str(_PAGE)}
        while True:
            response = await self.query(endpoint, query, symbol)
            page = objects(member(response, "list") or [], "list")
            yield [raw for raw in page if is_future(raw)]
            cursor = member(response, "cursor")
            if newest_only or len(page) < _PAGE or not cursor:
                return
            query["cursor"] = str(cursor)


def order_request(request: OrderRequest) -> Row:
    """Return the parameters of a new order, except for its product and symbol.

    `side` is that on which it trades, in hedge mode, too. The margin mode is the order's own, as the venue has no
    setting for it: https://www.bitget.com/api-doc/uta/trade/Place-Order.
    """
    return batch_item(request) | {"marginMode": MARGIN_MODE[request.margin_mode]} | _reduce_only(request)


def batch_item(request: OrderRequest) -> Row:
    """Return the parameters of a new order of a batch, except for its product and symbol."""
    params = {
        "qty": format(request.quantity, "f"),
        "side": request.side.value.lower(),
        "orderType": request.order_type.value.lower(),
        "clientOid": request.client_order_id,
    }
    if request.order_type is OrderType.LIMIT and request.price is not None:
        params |= {"price": format(request.price, "f"), "timeInForce": TIME_IN_FORCE[request.time_in_force]}
    if request.position_side is not PositionSide.BOTH:
        params["posSide"] = request.position_side.value.lower()
    return params


def fits_batch(request: OrderRequest) -> bool:
    """Return whether the venue takes an order in a batch.

    A batch takes no reduce-only orders, and its orders have no margin mode, so they are of cross margin. In hedge mode
    the position side closes a position, and no field has to: https://www.bitget.com/api-doc/uta/trade/Place-Batch.
    """
    return request.margin_mode is MarginMode.CROSS and not _reduce_only(request)


def _reduce_only(request: OrderRequest) -> Row:
    is_one_way = request.position_side is PositionSide.BOTH
    return {"reduceOnly": "yes"} if is_one_way and request.reduce_only else {}
