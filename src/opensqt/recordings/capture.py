"""Updates of a connector's streams as rows of tables: what `opensqt record` writes, with gaps marked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from opensqt.model.market import BookLevel, MarkPrice, OrderBook, PublicTrade
from opensqt.model.order import Side
from opensqt.model.stream import Batch

_REMEMBERED = 5_000
"""Trades that are kept to notice one that comes again: more than a snapshot has."""
_US, _MS = 1_000, 1_000_000
ZERO = Decimal(0)
T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingGap:
    """A time in which updates may be missing from a table."""

    after_ms: int
    """Of the last row before it; 0 where there is none."""
    until_ms: int
    """Of the first row after it."""


class Capture(Protocol, Generic[T_contra]):
    """Makes the rows of one table."""

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """Name and kind (time_ms, time_us, text, decimal, flag) of each column."""

    @property
    def gaps(self) -> Sequence[RecordingGap]:
        """Those that were found so far."""

    def rows(self, batch: Batch[T_contra]) -> list[dict[str, Any]]:
        """Return the rows of a batch."""

    def interrupt(self) -> None:
        """Note that updates may be missing before the next batch."""


class _Times:
    """Times that never go back, and the gaps between them."""

    def __init__(self) -> None:
        self.gaps: list[RecordingGap] = []
        self._last_ms = 0
        self._gap = False

    def interrupt(self) -> None:
        self._gap = True

    def next_ms(self, event_time_ms: int, received_ns: int) -> tuple[int, bool]:
        """Return the time of a row, and whether a gap is before it."""
        time_ms = max(self._last_ms, event_time_ms or received_ns // _MS)
        gap, self._gap = self._gap, False
        if gap:
            self.gaps.append(RecordingGap(after_ms=self._last_ms, until_ms=time_ms))
        self._last_ms = time_ms
        return time_ms, gap


class TradeCapture:
    """Rows of public trades. The snapshot at the start is from before it, so it is left out."""

    columns = (
        *(("timestamp", "time_ms"), ("received", "time_us"), ("id", "text"), ("side", "text")),
        *(("price", "decimal"), ("amount", "decimal"), ("gap", "flag")),
    )

    def __init__(self) -> None:
        self._times = _Times()
        self._order: deque[tuple[str, int]] = deque()
        self._seen: set[tuple[str, int]] = set()
        self._began = False

    @property
    def gaps(self) -> list[RecordingGap]:
        """See `Capture`."""
        return self._times.gaps

    def interrupt(self) -> None:
        """See `Capture`."""
        if self._began:
            self._times.interrupt()

    def rows(self, batch: Batch[PublicTrade]) -> list[dict[str, Any]]:
        """See `Capture`."""
        if batch.gap:
            self.interrupt()
        began, self._began = self._began, True
        new = [trade for trade in batch.updates if self._is_new(trade)]
        if not began and batch.snapshot:
            return []
        return [self._row(trade) for trade in new]

    def _row(self, trade: PublicTrade) -> dict[str, Any]:
        time_ms, gap = self._times.next_ms(trade.event_time_ms, trade.received_ns)
        return {
            "timestamp": time_ms,
            "received": trade.received_ns // _US,
            "id": trade.trade_id,
            "side": trade.side.value.lower(),
            "price": trade.price,
            "amount": trade.quantity,
            "gap": gap,
        }

    def _is_new(self, trade: PublicTrade) -> bool:
        # With its time: a venue that begins anew, as a simulator does, begins with its ids anew.
        key = trade.trade_id, trade.event_time_ms
        if key in self._seen:
            return False
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > _REMEMBERED:
            self._seen.discard(self._order.popleft())
        return True


class BookCapture:
    """Rows of changed levels. A book that was not known begins again with all its levels, as a snapshot."""

    columns = (
        *(("timestamp", "time_ms"), ("received", "time_us"), ("is_snapshot", "flag"), ("side", "text")),
        *(("price", "decimal"), ("amount", "decimal"), ("gap", "flag")),
    )

    def __init__(self) -> None:
        self._times = _Times()
        self._levels: dict[Side, dict[Decimal, Decimal]] | None = None
        self._began = False

    @property
    def gaps(self) -> list[RecordingGap]:
        """See `Capture`."""
        return self._times.gaps

    def interrupt(self) -> None:
        """See `Capture`."""
        self._levels = None
        if self._began:
            self._times.interrupt()

    def rows(self, batch: Batch[OrderBook]) -> list[dict[str, Any]]:
        """See `Capture`."""
        if batch.gap:
            self.interrupt()
        made: list[dict[str, Any]] = []
        for book in batch.updates:
            if book.valid:
                made += self._changed(book)
            else:
                self.interrupt()
        return made

    def _changed(self, book: OrderBook) -> list[dict[str, Any]]:
        now = {Side.BUY: dict(book.bids), Side.SELL: dict(book.asks)}
        before, self._levels = self._levels, now
        changes = [
            (side, *level) for side in Side for level in _changes({} if before is None else before[side], now[side])
        ]
        if not changes:
            return []
        self._began = True
        time_ms, gap = self._times.next_ms(book.event_time_ms, book.received_ns)
        return [
            {
                "timestamp": time_ms,
                "received": book.received_ns // _US,
                "is_snapshot": before is None,
                "side": "bid" if side is Side.BUY else "ask",
                "price": price,
                "amount": quantity,
                "gap": gap and not index,
            }
            for index, (side, price, quantity) in enumerate(changes)
        ]


class FundingCapture:
    """Rows of funding rates, and the mark price with them; one whenever something changes."""

    columns = (
        *(("timestamp", "time_ms"), ("received", "time_us"), ("funding_rate", "decimal"), ("next_funding", "time_ms")),
        *(("mark_price", "decimal"), ("index_price", "decimal"), ("gap", "flag")),
    )

    def __init__(self) -> None:
        self._times = _Times()
        self._last: tuple[object, ...] | None = None

    @property
    def gaps(self) -> list[RecordingGap]:
        """See `Capture`."""
        return self._times.gaps

    def interrupt(self) -> None:
        """See `Capture`."""
        if self._last is not None:
            self._times.interrupt()

    def rows(self, batch: Batch[MarkPrice]) -> list[dict[str, Any]]:
        """See `Capture`."""
        if batch.gap:
            self.interrupt()
        return [row for mark in batch.updates if (row := self._row(mark)) is not None]

    def _row(self, mark: MarkPrice) -> dict[str, Any] | None:
        values = mark.funding_rate, mark.next_funding_ms, mark.mark, mark.index
        if mark.funding_rate is None or values == self._last:
            return None
        self._last = values
        time_ms, gap = self._times.next_ms(mark.event_time_ms, mark.received_ns)
        return {
            "timestamp": time_ms,
            "received": mark.received_ns // _US,
            "funding_rate": mark.funding_rate,
            "next_funding": mark.next_funding_ms or None,
            "mark_price": mark.mark,
            "index_price": mark.index,
            "gap": gap,
        }


def _changes(before: dict[Decimal, Decimal], now: dict[Decimal, Decimal]) -> Iterator[BookLevel]:
    for price in before:
        if price not in now:
            yield price, ZERO
    for price, quantity in now.items():
        if before.get(price) != quantity:
            yield price, quantity
