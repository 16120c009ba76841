"""Whether the holder of a grid still lives, by looking at its row again and again. No I/O and no clock."""

from __future__ import annotations

from opensqt.market_maker.store.holders import Holder

STALE_S = 5.0
"""Seconds without a renewal after which a grid may be taken, and its holder may not take itself for it any more."""


class HolderWatch:
    """Looks at the rows of several grids.

    The age of a row counts from when it was seen to change, by this process's clock: neither a step of the database's
    clock nor one of this machine's makes a holder that lives look dead. The database's clock counts once, for a row
    that is seen for the first time, so that the first start after a long time does not wait.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        self._trusts_age = True
        self.renewed: set[str] = set()
        """The grids whose row was seen to change: their holder lives."""

    def unchanged_s(self, row: Holder, now: float) -> float:
        """Look at a row, and return for how long it has not been renewed; *now* is in monotonic seconds."""
        mark = row.number, row.renewed_ms
        known = self._seen.get(row.symbol)
        if known is None:
            age_s = min(max(row.age_s, 0.0), STALE_S) if self._trusts_age else 0.0
            known = self._seen[row.symbol] = mark, now - age_s
        elif known[0] != mark:
            known = self._seen[row.symbol] = mark, now
            self.renewed.add(row.symbol)
        return now - known[1]

    def is_free(self, row: Holder | None, now: float) -> bool:
        """Look at a row, and return whether the grid may be taken."""
        return row is None or not row.holder or self.unchanged_s(row, now) >= STALE_S

    def interrupt(self) -> None:
        """Begin anew: the rows could not be read for a while, and their holders may not have been able to renew."""
        self._seen.clear()
        self._trusts_age = False
