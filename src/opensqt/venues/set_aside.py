"""The rows of the venue that could not be read: kept by their identity until they can be, counted and reported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("venue")
KINDS = (
    "order",
    "fill",
    "fill_without_order",
    "position",
    "balance",
    "funding",
    "rules",
    "query",
    "price",
    "candle",
    "trade",
    "frame",
)
"""Kinds of rows. A `fill_without_order` can be read but its order can't, and a `query` was refused for one symbol.

`rules` are a row of the list of symbols.
A `frame` could not be read as a whole.
"""
_PASSING = frozenset({"price", "candle", "trade", "frame"})
"""Kinds that come many times a second, each with another fault: only the first is logged."""
_KEPT = 1_000
_NAMED = 5
_NAMED_TEXT = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideRow:
    """One row that could not be read."""

    kind: str
    """One of KINDS."""
    symbol: str
    """Canonical where the symbol is known, else as the venue sent it; empty where the row has none."""
    row_id: str
    """The venue's id of the order or of the trade, or the position's side."""
    reason: str
    first_s: float
    """Monotonic time at which the row was first found to be unreadable."""
    seen_s: float
    """Monotonic time at which it was last found to be unreadable."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.symbol, self.row_id) if part) + f": {self.reason}"


class SetAside:
    """Rows that could not be read.

    Args:
        venue: Name for the log.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._rows: dict[tuple[str, str, str], SetAsideRow] = {}
        self.total: Counter[str] = Counter()
        """Number of rows that were set aside since the start, by kind. A row that is found again counts once."""
        self.on_change: Callable[[str], None] = lambda reason: None
        """Called after each change with the rows as text; empty when there is none."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, kind: str, symbol: str, row_id: str, error: object, raw: Any = None) -> None:
        """Set a row aside, or record that it is still unreadable."""
        key, now_s = (kind, symbol, row_id), time.monotonic()
        known = self._rows.get(key)
        first_s = known.first_s if known is not None else now_s
        reason = redact(str(error))
        row = self._rows[key] = SetAsideRow(
            kind=kind, symbol=symbol, row_id=row_id, reason=reason, first_s=first_s, seen_s=now_s
        )
        if known is not None and (known.reason == reason or kind in _PASSING):
            return
        if known is None:
            self.total[kind] += 1
        _log.error("row set aside", venue=self._venue, row=str(row), raw=redact(str(raw)[:400]))
        if len(self._rows) > _KEPT:
            del self._rows[next(iter(self._rows))]
        self.on_change(self.text())

    def remove(self, kind: str, symbol: str, row_id: str) -> None:
        """Remove a row that was read."""
        if self._rows and (row := self._rows.pop((kind, symbol, row_id), None)) is not None:
            _log.info("row no longer set aside", venue=self._venue, row=str(row))
            self.on_change(self.text())

    def expire(
        self, kind: str, before_s: float, *, symbol: str = "", nameless: bool = False, within_s: float = inf
    ) -> None:
        """Remove the rows that a query, which was sent at *before_s* and listed all of them, did not find again.

        Args:
            kind: Kind of the rows.
            before_s: Monotonic time at which the query was sent.
            symbol: Canonical name of the only symbol that was queried; empty is all.
            nameless: Whether to remove only rows without an id, which no other query can find.
            within_s: Age up to which the query covers a row.
        """
        for row in self.rows(kind):
            listed = row.seen_s < before_s <= row.first_s + within_s
            if listed and symbol in ("", row.symbol) and not (nameless and row.row_id):
                self.remove(row.kind, row.symbol, row.row_id)

    def rows(self, kind: str) -> list[SetAsideRow]:
        """Return the rows of a kind."""
        return [row for row in self._rows.values() if row.kind == kind]

    def all_rows(self) -> list[SetAsideRow]:
        """Return the rows of every kind."""
        return list(self._rows.values())

    def hides(self, kind: str, symbol: str) -> bool:
        """Return whether a row that was set aside can be one of this symbol."""
        return any(row.symbol in ("", symbol) for row in self.rows(kind))

    def hides_row(self, kind: str, symbol: str, row_id: str) -> bool:
        """Return whether this row is set aside."""
        return (kind, symbol, row_id) in self._rows

    def by_kind(self) -> dict[str, int]:
        """Return the number of rows that are set aside now, of each kind."""
        return dict.fromkeys(KINDS, 0) | Counter(row.kind for row in self._rows.values())

    def text(self) -> str:
        """Return how many rows are set aside, and the first of them; empty when there is none."""
        if not self._rows:
            return ""
        named = "; ".join(str(row)[:_NAMED_TEXT] for row in list(self._rows.values())[:_NAMED])
        more = len(self._rows) - _NAMED
        return f"{len(self._rows)} set aside: {named}" + (f"; and {more} more" if more > 0 else "")
