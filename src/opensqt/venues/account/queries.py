"""Queries about the account, their responses merged with the known state."""

from __future__ import annotations

from dataclasses import replace

from opensqt.model.account import Account, Position
from opensqt.model.errors import OrderNotFound, VenueError
from opensqt.model.order import Fill, Order, OrderRef
from opensqt.venues.account.positions import combine
from opensqt.venues.account.state import AccountState
from opensqt.venues.venue import Venue

_SMALLEST_PAGE = 100
"""Number of trades that every venue returns in one response."""


class AccountQueries:
    """Queries the venue for the client's calls.

    Args:
        venue: Sends the queries.
        state: Receives the orders of the responses.
    """

    def __init__(self, venue: Venue, state: AccountState) -> None:
        self._venue = venue
        self._state = state

    async def order(self, ref: OrderRef) -> Order:
        """Query one order by its client order id, and by its order id if the venue no longer knows the former."""
        try:
            order = await self._venue.parse_or_raise(self._venue.order(ref))
        except OrderNotFound:
            if (by_venue := self._state.order_by_venue(ref)) is not None:
                return by_venue
            known = self._state.tracker.find(ref)
            order_id = ref.order_id or (known.order_id if known is not None else "")
            if not (ref.client_order_id and order_id):
                raise
            by_order_id = OrderRef(symbol=ref.symbol, order_id=order_id)
            order = await self._venue.parse_or_raise(self._venue.order(by_order_id))
        return self._merge(order)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders of one symbol or of all."""
        found = await self._venue.parse_or_raise(self._venue.open_orders(symbol))
        merged = [self._merge(order) for order in found]
        # The stream may have published the end of an order during the query.
        return [order for order in merged if not order.status.is_closed]

    async def account(self) -> Account:
        """Query the balance."""
        account = await self._venue.parse_or_raise(self._venue.account())
        self._state.notices.apply_account(account)
        return replace(account, notices=self._state.notices.current())

    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions of one symbol or of all.

        Where a row can't be read, the last known state stands for it.

        Raises:
            VenueError: A row of *symbol* can't be read, and its position is not known.
        """
        found = combine(await self._venue.parse_or_raise(self._venue.positions(symbol)))
        hidden = {row.symbol: row for row in self._venue.set_aside.rows("position")}
        listed = {(one.symbol, one.position_side) for one in found}
        known = [one for one in self._state.known_positions() if one.symbol in hidden and symbol in ("", one.symbol)]
        if symbol in hidden and not known:
            raise VenueError(f"{self._venue.name}: {hidden[symbol]}", symbol=symbol)
        found += [one for one in known if (one.symbol, one.position_side) not in listed]
        leverages = self._venue.leverages
        return [replace(one, leverage=one.leverage or leverages.get(one.symbol)) for one in found]

    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query the account's trades of a symbol since a time; 0 returns all that the venue still has."""
        fills = await self._venue.parse_or_raise(self._venue.fills(symbol, since_ms))
        if not since_ms and len(fills) >= _SMALLEST_PAGE:
            # 0 requests the newest page only, which is one request. A full page may have others before it.
            fills = await self._venue.parse_or_raise(self._venue.fills(symbol, 1))
        return [self._with_order(fill) for fill in fills if fill.event_time_ms >= since_ms]

    def _merge(self, queried: Order) -> Order:
        """Apply a queried order, and return the known state after it."""
        self._state.apply_order(queried)
        return self._state.tracker.find(OrderRef(symbol=queried.symbol, order_id=queried.order_id)) or queried

    def _with_order(self, fill: Fill) -> Fill:
        """Return a fill with what only its order shows, where that is known."""
        order = self._state.tracker.find(OrderRef(symbol=fill.symbol, order_id=fill.order_id))
        if order is None:
            return fill
        named = fill if fill.client_order_id else replace(fill, client_order_id=order.client_order_id)
        return self._venue.with_order(named, order)
