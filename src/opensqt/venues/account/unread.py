"""The account's rows that were set aside before a comparison: what they brought is no update that the stream lost."""

from __future__ import annotations

from collections.abc import Iterable

from opensqt.model.order import Fill, Order
from opensqt.venues.set_aside import SetAsideRow

_OF_FILLS = ("fill", "fill_without_order")


class UnreadRows:
    """Rows that could not be read, which the stream may have published.

    Args:
        rows: As they were before the comparison, which removes those that it can read.
    """

    def __init__(self, rows: Iterable[SetAsideRow]) -> None:
        self._rows = {(row.kind, row.symbol, row.row_id) for row in rows}

    def may_hold(self, order: Order, fill: Fill | None = None) -> bool:
        """Return whether the state of an order, or a fill of it, was in one of the rows."""
        if not self._rows:
            return False
        return self._has("order", order.symbol, order.order_id) or (
            fill is not None and any(self._has(kind, fill.symbol, fill.trade_id) for kind in _OF_FILLS)
        )

    def other_positions(self, symbols: set[str]) -> set[str]:
        """Return the symbols whose position was in none of the rows."""
        unread = {symbol for kind, symbol, _ in self._rows if kind == "position"}
        return set() if "" in unread else symbols - unread

    def _has(self, kind: str, symbol: str, row_id: str) -> bool:
        """Return whether one of the rows has this identity, or as much of it as could be read."""
        return not self._rows.isdisjoint({(kind, symbol, row_id), (kind, symbol, ""), (kind, "", "")})
