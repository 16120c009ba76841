"""A local order book: kept from the venue's snapshot and changes, and valid only while no change is missing.

Pure: it decides by the frames alone. Whether to query a snapshot, and when, is for its owner to say.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from opensqt.model.market import MAX_DEPTH, BookLevel
from opensqt.venues.events import BookUpdate

CHECKED_LEVELS = 25
"""Levels of each side that a venue's checksum covers."""
_FRAMES_KEPT = 500
_RUNS_LOW_BELOW = MAX_DEPTH * 3 // 2
Checksum = Callable[[Sequence[BookLevel], Sequence[BookLevel]], int]


class BookSide:
    """One side: its levels by rank, the best one last in the order.

    Args:
        is_bids: Whether a higher price is a better one.
        window: Levels that are kept at most.
        sends_entering_levels: See `PublicChannels.book_sends_entering_levels`.
    """

    def __init__(self, *, is_bids: bool, window: int, sends_entering_levels: bool) -> None:
        self._is_bids = is_bids
        self._window = window
        self._sends_entering_levels = sends_entering_levels
        self._levels: dict[Decimal, BookLevel] = {}
        """By rank: the price of a bid, and the negated price of an ask, so that the best is the largest."""
        self._ranks: list[Decimal] = []
        self._edge: Decimal | None = None
        """Rank of the worst level up to which all levels are known; None where the whole side is."""

    def reset(self, levels: Iterable[BookLevel], limit: int | None) -> None:
        """Replace all levels by those of a snapshot that had at most *limit* of them."""
        self._levels = {self._rank(level): level for level in levels if level[1]}
        self._ranks = sorted(self._levels)
        full = limit is not None and len(self._ranks) >= limit
        self._edge = self._ranks[0] if full and self._ranks and not self._sends_entering_levels else None
        self._trim()

    def apply(self, levels: Iterable[BookLevel]) -> None:
        """Set the levels that changed; a quantity of zero removes one."""
        for level in levels:
            rank = self._rank(level)
            if rank in self._levels:
                if level[1]:
                    self._levels[rank] = level
                else:
                    del self._levels[rank]
                    del self._ranks[bisect_left(self._ranks, rank)]
            elif level[1] and (self._edge is None or rank >= self._edge):
                self._levels[rank] = level
                insort(self._ranks, rank)
        self._trim()

    def best(self, depth: int) -> tuple[BookLevel, ...]:
        """Return the best levels, best first."""
        levels = self._levels
        return tuple([levels[rank] for rank in self._ranks[: -depth - 1 : -1]])

    @property
    def best_price(self) -> Decimal | None:
        """The best price, if there is a level."""
        return self._levels[self._ranks[-1]][0] if self._ranks else None

    @property
    def is_short(self) -> bool:
        """Whether the market has moved so far from the snapshot that fewer levels are known than may be asked for."""
        return self._edge is not None and len(self._ranks) < MAX_DEPTH

    @property
    def runs_low(self) -> bool:
        """Whether the side will soon be short, unless there is a new snapshot."""
        return self._edge is not None and len(self._ranks) < _RUNS_LOW_BELOW

    def _rank(self, level: BookLevel) -> Decimal:
        return level[0] if self._is_bids else -level[0]

    def _trim(self) -> None:
        excess = len(self._ranks) - self._window
        if excess > 0:
            for rank in self._ranks[:excess]:
                del self._levels[rank]
            del self._ranks[:excess]
            if not self._sends_entering_levels:
                self._edge = self._ranks[0]


class LocalBook:
    """An order book that is kept up, and knows whether it is complete.

    A change continues the book when it names the book's own sequence as its previous one. The first after a queried
    snapshot may also begin before it, because quantities are absolute. One that is older is ignored, and any other
    shows a hole.

    Args:
        window: Levels of each side that the venue keeps up.
        sends_entering_levels: See `PublicChannels.book_sends_entering_levels`.
        checksum: Of the best levels of both sides.
    """

    def __init__(self, *, window: int, sends_entering_levels: bool, checksum: Checksum) -> None:
        self.bids = BookSide(is_bids=True, window=window, sends_entering_levels=sends_entering_levels)
        self.asks = BookSide(is_bids=False, window=window, sends_entering_levels=sends_entering_levels)
        self._checksum = checksum
        self._changes: deque[BookUpdate] = deque(maxlen=_FRAMES_KEPT)
        """The latest changes, without a hole between them: a queried snapshot is older than some of them."""
        self._may_overlap = False
        self.sequence = 0
        self.event_time_ms = 0
        self.received_ns = 0
        self.invalid_reason = "waiting for the first snapshot"
        """Why the book is not known; empty while it is."""

    @property
    def valid(self) -> bool:
        """Whether the book is complete up to its sequence."""
        return not self.invalid_reason

    @property
    def runs_low(self) -> bool:
        """Whether the market has moved so far from the snapshot that a new one is due."""
        return self.bids.runs_low or self.asks.runs_low

    def handle(self, frame: BookUpdate) -> None:
        """Take in a frame of the stream."""
        if frame.snapshot:
            # It stands in the stream itself: what came before it is older.
            self._changes.clear()
            self._reset(frame)
        elif not self.valid:
            self._keep(frame)
        elif self._apply(frame):
            self._changes.append(frame)

    def join(self, snapshot: BookUpdate) -> None:
        """Take in a queried snapshot, and the changes that came since then; it has no effect if they do not connect."""
        first = self._changes[0] if self._changes else None
        if first is not None and first.previous is not None and first.previous > snapshot.last:
            if not self.valid:
                self.invalid_reason = f"the snapshot {snapshot.last} is older than the changes from {first.last} on"
            return
        if self.valid and first is None and snapshot.last < self.sequence:
            return
        changes = tuple(self._changes)
        self._changes.clear()
        self._reset(snapshot)
        self._may_overlap = True
        for frame in changes:
            self.handle(frame)

    def invalidate(self, reason: str) -> None:
        """Mark the book invalid; what is known of it is forgotten with the next snapshot."""
        self._changes.clear()
        self.invalid_reason = reason

    def _reset(self, frame: BookUpdate) -> None:
        self.bids.reset(frame.bids, frame.limit)
        self.asks.reset(frame.asks, frame.limit)
        self._may_overlap = False
        self.invalid_reason = ""
        self._advance(frame)

    def _apply(self, frame: BookUpdate) -> bool:
        """Take in a change of a valid book; return whether it continues the book."""
        if frame.previous is None:
            if frame.last == self.sequence:
                return False
            if frame.last < self.sequence:
                self.invalidate(f"the sequence went back from {self.sequence} to {frame.last}")
                return False
        elif frame.previous != self.sequence:
            if frame.last <= self.sequence:
                return False
            if frame.previous > self.sequence or not self._may_overlap:
                self.invalidate(f"changes after {self.sequence} and up to {frame.previous} are missing")
                self._keep(frame)
                return False
        self._may_overlap = False
        self.bids.apply(frame.bids)
        self.asks.apply(frame.asks)
        self._advance(frame)
        return self.valid

    def _advance(self, frame: BookUpdate) -> None:
        """Take over the numbers of a frame, and check the book after it."""
        self.sequence, self.event_time_ms, self.received_ns = frame.last, frame.event_time_ms, frame.received_ns
        bid, ask = self.bids.best_price, self.asks.best_price
        if bid is not None and ask is not None and bid >= ask:
            self.invalidate(f"the bid {bid} is not below the ask {ask} at {frame.last}")
        elif frame.checksum is not None and frame.checksum != self._checksum(
            self.bids.best(CHECKED_LEVELS), self.asks.best(CHECKED_LEVELS)
        ):
            self.invalidate(f"the checksum at {frame.last} is not the venue's")
        elif self.bids.is_short or self.asks.is_short:
            self.invalidate(f"the market has left the levels of the snapshot at {frame.last}")

    def _keep(self, frame: BookUpdate) -> None:
        """Keep a change until a snapshot comes; one that does not continue the kept ones makes them useless."""
        if self._changes and frame.previous is not None and frame.previous != self._changes[-1].last:
            if frame.last <= self._changes[-1].last:
                return
            self._changes.clear()
        self._changes.append(frame)
