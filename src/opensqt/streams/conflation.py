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
}
"""By kind of stream, what an update is about where the newest of each is enough; None where no update may be lost."""


def merged(older: Batch[T], newer: Batch[T], key: Key[T] | None) -> Batch[T]:
    """Return what both batches say together, with the newest update of each key; without a key, with all updates."""
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
    return replace(newer, updates=updates, snapshot=older.snapshot, gap=gap)
