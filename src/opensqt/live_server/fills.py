"""The fills of one symbol since a time, each counted once, and their sums."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.live_server.messages import Profit
from opensqt.model.clock import Clock, is_plausible, now_ns
from opensqt.model.order import Fill, PositionSide

# A venue's list may show a trade minutes after the trade; until then its id has to be kept.
LATE_NS = 300 * 10**9


@dataclass(slots=True)
class _FillTotals:
    realized: Decimal = Decimal(0)
    volume: Decimal = Decimal(0)
    fills: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict)


class FillBook:
    """Counts fills that arrive by stream or by list, repeated, late or out of order.

    Args:
        since_ms: Event time of the first fill that counts.
        quote_asset: Fees in it are subtracted from the profit.
        keep: Number of the newest fills that are kept to be shown.
        clock: Nanoseconds; the time since a list was read is measured with it.
    """

    def __init__(self, *, since_ms: int, quote_asset: str, keep: int = 200, clock: Clock = now_ns) -> None:
        self.since_ms = since_ms
        self._quote = quote_asset
        self._clock = clock
        self._recent: deque[Fill] = deque(maxlen=keep)
        self._reset()

    def _reset(self) -> None:
        self.complete = False
        """Whether the venue's list was read."""
        self._totals: dict[PositionSide, _FillTotals] = {}
        self._recent.clear()
        # Trade id to event time, of every fill that may still be repeated.
        self._trade_times: dict[str, int] = {}
        self._listed: set[str] = set()
        self._settled_ms = self.since_ms
        self._marks: deque[tuple[int, int]] = deque()

    @property
    def list_from_ms(self) -> int:
        """Event time from which the venue's list has to be queried, so that no fill is missed."""
        return self._settled_ms

    @property
    def recent(self) -> tuple[Fill, ...]:
        """The newest fills, oldest first."""
        return tuple(self._recent)

    @property
    def remembered(self) -> int:
        """Number of trade ids that are kept; bounded by the fills that may still be repeated."""
        return len(self._trade_times)

    def add(self, fills: Iterable[Fill]) -> list[Fill]:
        """Count the fills that were not counted yet, and return them, oldest first."""
        new = []
        for fill in sorted(fills, key=lambda fill: fill.event_time_ms):
            # A fill before the settled time was in a complete list already.
            if fill.event_time_ms < self._settled_ms or fill.trade_id in self._trade_times:
                continue
            self._trade_times[fill.trade_id] = fill.event_time_ms
            self._count(fill)
            new.append(fill)
        if new:
            self._recent = deque(
                sorted([*self._recent, *new], key=lambda fill: fill.event_time_ms), maxlen=self._recent.maxlen
            )
        return new

    def add_list(self, fills: Iterable[Fill]) -> list[Fill]:
        """Count the venue's whole list from `list_from_ms` on, and drop the ids of fills that can't be repeated.

        A list that lacks a fill of an earlier one is the list of another account: the count starts again, and is not
        complete until the next list.
        """
        listed = list(fills)
        if not self._listed <= {fill.trade_id for fill in listed}:
            self._reset()
            return []
        new = self.add(listed)
        self.complete = True
        now = self._clock()
        plausible = [at for at in self._trade_times.values() if is_plausible(at, now)]
        self._marks.append((now, max(plausible, default=self._settled_ms)))
        while self._marks[0][0] <= now - LATE_NS:
            self._settled_ms = max(self._settled_ms, self._marks.popleft()[1])
        self._trade_times = {trade_id: at for trade_id, at in self._trade_times.items() if at >= self._settled_ms}
        self._listed = {fill.trade_id for fill in listed} & self._trade_times.keys()
        return new

    def profit(self, side: PositionSide) -> Profit | None:
        """Return the sums over the fills of one position; None before the first complete list."""
        if not self.complete:
            return None
        totals = self._totals.get(side, _FillTotals())
        return Profit(
            since_ms=self.since_ms,
            realized=totals.realized,
            fees=totals.fees.get(self._quote, Decimal(0)),
            other_fees={asset: paid for asset, paid in totals.fees.items() if asset != self._quote},
            volume=totals.volume,
            fills=totals.fills,
        )

    def _count(self, fill: Fill) -> None:
        totals = self._totals.setdefault(fill.position_side, _FillTotals())
        totals.realized += fill.realized_pnl
        totals.volume += fill.notional
        totals.fills += 1
        for asset, paid in fill.fees.items():
            totals.fees[asset] = totals.fees.get(asset, Decimal(0)) + paid
