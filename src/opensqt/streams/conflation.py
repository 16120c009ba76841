"""Two batches of a stream as one: of what is replaced by something newer, only the newest is kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from opensqt.model.stream import Batch

T = TypeVar("T")
Key = Callable[[T], Hashable]

KEYS: Mapping[str, Key[Any] | None] = {
    "price": lambda price: price.symbol,
    "orders": None,
    "klines": lambda candle: candle.open_time_ms,
    "account": lambda account: account.asset,
    "positions": lambda position: (position.symbol, position.position_side),
    "order_book": lambda book: book.symbol,
    "trades": lambda trade: trade.trade_id,
    "mark_price": lambda price: price.symbol,
    "funding_payments": None,
}
"""By kind of stream, what an update is about where the newest of each is enough; None where no update may be lost."""
TRADES_KEPT = 1_000
"""Public trades that a slow reader is given at most; what is left out is a gap."""
LIMITS: Mapping[str, int] = {"trades": TRADES_KEPT}
"""By kind of stream, how many updates of different keys a slow reader is given at most, the newest of them."""


def merged(older: Batch[T], newer: Batch[T], key: Key[T] | None, limit: int | None = None) -> Batch[T]:
    """Return what both batches say together.

    Args:
        older: The batch that came first.
        newer: The batch that came after it.
        key: Names what an update is about: the newest update of each key is kept. None keeps all updates.
        limit: How many updates are kept at most, the newest; what is left out is a gap.
    """
    gap = older.gap or newer.gap
    if newer.snapshot:
        return replace(newer, gap=gap)
    updates = older.updates + newer.updates
    if key is not None:
        newest: dict[Hashable, T] = {}
        for update in updates:
            about = key(update)
            newest.pop(about, None)
            newest[about] = update
        updates = tuple(newest.values())
    if limit is not None and len(updates) > limit:
        updates, gap = updates[-limit:], True
    return replace(newer, updates=updates, snapshot=older.snapshot, gap=gap)
