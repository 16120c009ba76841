"""The state of one account: wallet, positions, orders and fills."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import PositionSide, Side
from opensqt.simulator.engine.events import FundingPaid
from opensqt.simulator.engine.order import SimFill, SimOrder
from opensqt.simulator.engine.position import ZERO, SimPosition
from opensqt.simulator.settings import AccountSettings

T = TypeVar("T", SimOrder, SimFill)

SIDES: dict[PositionMode, tuple[PositionSide, ...]] = {
    PositionMode.ONE_WAY: (PositionSide.BOTH,),
    PositionMode.HEDGE: (PositionSide.LONG, PositionSide.SHORT),
}
"""The position sides of a symbol in each mode."""


class SimAccount:
    """The account of one API key."""

    def __init__(self, settings: AccountSettings, leverage: int) -> None:
        self.key = settings.key
        self.wallet_balance = settings.balance
        self.mode = settings.position_mode
        self.account_mode = settings.account_mode
        self.collateral = settings.collateral
        self.asset = ""
        """Asset in which profit and fees are booked; empty is the contracts' own."""
        self.fees = ZERO
        self.funding = ZERO
        self.realized_pnl = ZERO
        self.updated_ms = 0
        self.margin_called = False
        self.orders: dict[str, SimOrder] = {}
        self.open: dict[str, dict[str, SimOrder]] = {}
        """Open orders by symbol and order id, oldest first."""
        self.fills: list[SimFill] = []
        self.fundings: list[FundingPaid] = []
        self.duplicates: list[str] = []
        self._default_leverage = leverage
        self._leverage: dict[str, int] = {}
        self._margin_modes: dict[str, MarginMode] = {}
        self._positions: dict[tuple[str, PositionSide], SimPosition] = {}
        self._ids_by_client_id: dict[str, list[str]] = {}
        self._order_ids: list[str] = []
        self._order_ids_of: dict[str, list[str]] = {}
        self._fills_of: dict[str, list[SimFill]] = {}

    def leverage(self, symbol: str) -> int:
        """Return the leverage of *symbol*."""
        return self._leverage.get(symbol, self._default_leverage)

    def has_own_leverage(self, symbol: str) -> bool:
        """Return whether the leverage of *symbol* was set."""
        return symbol in self._leverage

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of *symbol*."""
        self._leverage[symbol] = leverage

    def margin_mode(self, symbol: str) -> MarginMode:
        """Return the margin mode of *symbol*."""
        return self._margin_modes.get(symbol, MarginMode.CROSS)

    def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of *symbol*."""
        self._margin_modes[symbol] = mode

    def position_for(self, symbol: str, side: PositionSide) -> SimPosition:
        """Return a position; a flat one is created on first use."""
        found = self._positions.get((symbol, side))
        if found is None:
            found = self._positions[symbol, side] = SimPosition()
        return found

    def held(self) -> list[tuple[str, PositionSide, SimPosition]]:
        """Return the positions that are not flat."""
        return [(symbol, side, position) for (symbol, side), position in self._positions.items() if position.quantity]

    def open_in(self, symbol: str) -> list[SimOrder]:
        """Return the open orders of a symbol, oldest first."""
        return list(self.open.get(symbol, {}).values())

    def add(self, order: SimOrder) -> None:
        """Add a new order."""
        same = self._ids_by_client_id.setdefault(order.client_order_id, [])
        if same and order.client_order_id not in self.duplicates:
            self.duplicates.append(order.client_order_id)
        same.append(order.order_id)
        self._order_ids.append(order.order_id)
        self._order_ids_of.setdefault(order.symbol, []).append(order.order_id)
        self.put(order)

    def put(self, order: SimOrder) -> None:
        """Replace the snapshot of an order."""
        self.orders[order.order_id] = order
        open_ones = self.open.setdefault(order.symbol, {})
        if order.status.is_open:
            open_ones[order.order_id] = order
        else:
            open_ones.pop(order.order_id, None)

    def add_fill(self, fill: SimFill) -> None:
        """Add a fill."""
        self.fills.append(fill)
        self._fills_of.setdefault(fill.symbol, []).append(fill)

    def by_client_id(self, client_order_id: str, symbol: str | None = None) -> list[SimOrder]:
        """Return the orders with the client id, oldest first."""
        found = [self.orders[order_id] for order_id in self._ids_by_client_id.get(client_order_id, ())]
        return [order for order in found if symbol is None or order.symbol == symbol]

    def order_history(
        self,
        symbol: str | None,
        *,
        since_ms: int | None,
        until_ms: int | None,
        from_id: int | None,
        limit: int | None,
    ) -> list[SimOrder]:
        """See `SimEngine.orders`."""
        ids = self._order_ids if symbol is None else self._order_ids_of.get(symbol, [])
        first, last = _window(
            ids,
            (since_ms, until_ms, lambda order_id: self.orders[order_id].created_ms),
            (from_id, int),
        )
        return [self.orders[order_id] for order_id in _limited(ids[first:last], limit, since_ms, from_id)]

    def fill_history(
        self,
        symbol: str | None,
        *,
        since_ms: int | None,
        until_ms: int | None,
        from_id: int | None,
        order_id: str | None,
        limit: int | None,
    ) -> list[SimFill]:
        """See `SimEngine.fills`."""
        fills = self.fills if symbol is None else self._fills_of.get(symbol, [])
        # Trade ids rise within a symbol only, so over all symbols each one is compared.
        sorted_from = from_id if symbol is not None else None
        first, last = _window(
            fills, (since_ms, until_ms, lambda fill: fill.time_ms), (sorted_from, lambda fill: int(fill.trade_id))
        )
        found = fills[first:last]
        if order_id is not None:
            found = [fill for fill in found if fill.order_id == order_id]
        if symbol is None and from_id is not None:
            found = [fill for fill in found if int(fill.trade_id) >= from_id]
        return _limited(found, limit, since_ms, from_id)


Item = TypeVar("Item")


def _window(
    items: Sequence[Item],
    times: tuple[int | None, int | None, Callable[[Item], int]],
    ids: tuple[int | None, Callable[[Item], int]],
) -> tuple[int, int]:
    """Return the start and end index of the matching items; both times and ids rise along *items*."""
    since_ms, until_ms, time_of = times
    from_id, id_of = ids
    first = 0 if since_ms is None else bisect_left(items, since_ms, key=time_of)
    if from_id is not None:
        first = max(first, bisect_left(items, from_id, key=id_of))
    last = len(items) if until_ms is None else bisect_right(items, until_ms, key=time_of)
    return first, max(first, last)


def _limited(items: list[Item], limit: int | None, since_ms: int | None, from_id: int | None) -> list[Item]:
    if limit is None or len(items) <= limit:
        return items
    return items[:limit] if since_ms is not None or from_id is not None else items[len(items) - limit :]


def closes(side: Side, position_side: PositionSide, reduce_only: bool) -> bool:
    """Return whether an order can only reduce a position: reduce-only, or the closing side in hedge mode."""
    if position_side is PositionSide.LONG:
        return side is Side.SELL
    if position_side is PositionSide.SHORT:
        return side is Side.BUY
    return reduce_only
