"""Error codes of Bitget, and the results of orders whose response holds only their ids.

The codes: https://www.bitget.com/api-doc/contract/error-code/restapi.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Protocol

from opensqt.model import errors
from opensqt.model.errors import ExchangeError, OrderNotFound, OutcomeUnknown
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, TimeInForce
from opensqt.venues.parsing import Row, acknowledged_order
from opensqt.venues.transport.errors import PARSE_ERRORS, translate_item

UNIFIED_ACCOUNT = "40085"
"""The account is unified, and has another API (v3): https://www.bitget.com/api-doc/uta/intro."""
_SINGLE_QUERY_LIMIT = 3
"""Up to this many orders are queried one by one; of more, one list is fetched first."""
_CANCEL_QUERY_DELAYS_S = (0.05, 0.2, 0.5, 0.0)

_CODES: dict[type[ExchangeError], tuple[str, ...]] = {
    # The engine may or may not have executed the request; during its releases the venue returns the last three.
    errors.OutcomeUnknown: ("40010", "40910", "40908", "45001", "40725", "40015"),
    errors.RateLimited: ("429", "30006", "30007", "1001", "45129"),
    errors.Maintenance: ("40200", "40308", "40604", "43115", "45043"),
    errors.CredentialsRefused: (
        *("40001", "40002", "40003", "40006", "40009", "40011", "40012", "40037"),
        *("30002", "30004", "30005", "30011", "30012", "30015"),
    ),
    errors.ClockSkew: ("40004", "40005", "40008", "40911", "30013", "30014"),
    errors.PermissionDenied: (
        *("40000", "40013", "40014", "40016", "40018", "40022", "40023", "40025", "40026", "40031", "40035", "40042"),
        *("40099", "40128", "40301", "40710", "22010", "40916", "45107", "45108"),
    ),
    # The last two: the API of unified accounts was called for a classic one, and the other way round.
    errors.Unsupported: ("40805", "40919", "22004", "22005", "40084", UNIFIED_ACCOUNT),
    errors.InvalidRequest: (
        *("40007", "40017", "400172", "40019", "40020", "40102", "40303", "40304", "40305", "40306", "40402", "40403"),
        *("40700", "40705", "40707", "40708", "40811", "40812", "40813", "41101", "42072", "43011", "43050", "48001"),
        *("48002", "00001", "30001", "30003", "30016"),
    ),
    errors.UnknownSymbol: ("40034", "40309", "40845", "41113"),
    errors.OrderNotFound: ("40109", "40768", "22001", "43001", "43004", "45057", "25204", "40769", "45031", "45055"),
    errors.DuplicateOrder: ("40786", "45034", "43118", "25212"),
    errors.InsufficientMargin: (
        *("25202", "25203", "40711", "40712", "40754", "40762", "40798", "40800", "40893"),
        *("43012", "45002", "45008", "45120"),
    ),
    errors.ReduceOnlyRefused: (
        "22002",
        "25227",
        "40804",
        "40928",
        "40939",
        "43023",
        "43029",
        "43043",
        "45003",
        "45005",
        "45006",
    ),
    errors.PositionModeMismatch: ("40774", "40920", "43075", "45018", "45020", "45021", "45109"),
    errors.OrderRejected: (
        *("22006", "22007", "22008", "22009", "40108", "40500", "40706", "40715", "40760", "40761", "40763", "40808"),
        "40844",  # this contract is under maintenance
        "41114",  # this trading pair is under maintenance
        "45117",  # the margin mode can't be changed with a position or an order open
        *("40815", "40816", "40820", "40821", "40824", "40825", "40826", "40847", "40930", "40931", "41103", "41117"),
        *("41118", "43002", "43003", "43005", "43006", "43007", "43008", "43009", "43010", "43027", "43028", "43037"),
        *("43038", "43039", "43040", "43041", "43042", "45009", "45035", "45110", "45111", "45112", "45113", "45114"),
        *("45115", "45116", "45118", "45119", "45123"),
    ),
}
CODES = {code: kind for kind, codes in _CODES.items() for code in codes}

STALE_RULES = frozenset(
    {
        "40309",
        "40844",
        "40845",
        "41113",
        "41114",
        "40808",
        "41103",
        "43006",
        "43007",
        "43028",
        "45035",
        "45110",
        "45111",
        "45112",
        "45114",
        "45115",
    }
)
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through."""


def refusal(row: Row, symbol: str) -> ExchangeError:
    """Return the error of one failure that a batch reports."""
    return translate_item(str(row.get("errorCode") or ""), str(row.get("errorMsg") or ""), CODES, symbol=symbol)


def refusals(rows: Iterable[Row] | None, field: str, symbol: str) -> dict[str, ExchangeError]:
    """Return the errors of a batch's failures by the id in *field*; a failure that lacks the field is left out."""
    return {row[field]: refusal(row, symbol) for row in rows or () if row.get(field)}


class OrderQueries(Protocol):
    """The queries that resolve an acknowledged request."""

    async def order(self, ref: OrderRef) -> Order:
        """Query one order."""
        ...

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders."""
        ...

    async def closed_orders(self, symbol: str) -> list[Order]:
        """Query the latest closed orders."""
        ...


class BitgetAckResolver:
    """Queries the state of orders after the venue acknowledged their placing or their cancel.

    Args:
        venue: Sends the queries.
    """

    def __init__(self, venue: OrderQueries) -> None:
        self._venue = venue

    async def resolve_placed(self, request: OrderRequest, order_id: str, sent_ms: int) -> Order:
        """Return an order that was accepted.

        A plain limit order is open and is not queried. The others may have ended at once; a post-only order is
        accepted and then canceled. An order that can't be queried yet is returned as open: the stream corrects it.

        Args:
            request: The accepted request.
            order_id: The venue's id, or an empty text.
            sent_ms: The market's time before the request was sent.

        Raises:
            OutcomeUnknown: The venue returned no id, and the order can't be queried yet.
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
            text = f"the order was accepted, but can't be queried yet: {error}"
            raise OutcomeUnknown(text, symbol=request.symbol) from error

    async def resolve_placed_batch(
        self, requests: Sequence[OrderRequest], order_ids: Mapping[str, str], sent_ms: int
    ) -> dict[str, Order | ExchangeError]:
        """Return the accepted orders of a batch by client order id.

        Args:
            requests: The accepted requests.
            order_ids: The venue's ids by client order id.
            sent_ms: The market's time before the batch was sent.
        """
        open_orders: dict[str, Order] = {}
        plain = all(request.time_in_force is TimeInForce.GTC for request in requests)
        if len(requests) > _SINGLE_QUERY_LIMIT and not plain:
            open_orders = await _by_id(self._venue.open_orders(requests[0].symbol))
        results: dict[str, Order | ExchangeError] = {}
        for request in requests:
            name = request.client_order_id
            try:
                results[name] = open_orders.get(name) or await self.resolve_placed(request, order_ids[name], sent_ms)
            except ExchangeError as error:
                results[name] = error
        return results

    async def resolve_canceled(self, ref: OrderRef) -> Order:
        """Return an order whose cancel was accepted; queries may be stale for a moment, so they are repeated.

        Raises:
            OutcomeUnknown: The venue does not report the order as closed.
        """
        status = ""
        try:
            for delay_s in _CANCEL_QUERY_DELAYS_S:
                order = await self._venue.order(ref)
                if order.status.is_closed:
                    return order
                status = order.status
                await asyncio.sleep(delay_s)
        except OrderNotFound as error:
            raise OutcomeUnknown(f"the cancel was accepted: {error}", symbol=ref.symbol) from error
        raise OutcomeUnknown(f"the cancel was accepted; the order is still {status}", symbol=ref.symbol)

    async def resolve_canceled_batch(
        self, symbol: str, refs: Sequence[OrderRef]
    ) -> dict[OrderRef, Order | ExchangeError]:
        """Return the orders of a batch of accepted cancels."""
        closed = await _by_id(self._venue.closed_orders(symbol)) if len(refs) > _SINGLE_QUERY_LIMIT else {}
        results: dict[OrderRef, Order | ExchangeError] = {}
        for ref in refs:
            try:
                results[ref] = closed.get(ref.client_order_id or ref.order_id) or await self.resolve_canceled(ref)
            except ExchangeError as error:
                results[ref] = error
        return results


async def _by_id(query: Awaitable[list[Order]]) -> dict[str, Order]:
    """Return the orders of a list by either id; empty where the query fails, and each order is queried then."""
    try:
        orders = await query
    except (ExchangeError, *PARSE_ERRORS):
        return {}
    return {name: order for order in orders for name in (order.client_order_id, order.order_id)}
