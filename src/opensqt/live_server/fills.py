"""The fills of one symbol since a time, each counted once, and what they came to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.live_server.messages import Profit
from opensqt.model.clock import Clock, now_ns
from opensqt.model.order import Fill, PositionSide

# A venue's list may show a trade minutes after the trade; until then its id has to be remembered.
LATE_NS = 300 * 10**9


@dataclass(slots=True)
class _Totals:
    realized: Decimal = Decimal(0)
    volume: Decimal = Decimal(0)
    fills: int = 0
    fees: dict[str, Decimal] = field(default_factory=dict)


class FillBook:
    """Counts fills that come by stream, by list, twice, late or out of order.

    Args:
        since_ms: Event time of the first fill that counts.
        quote_asset: Fees in it are taken off the profit.
        keep: How many of the newest fills are kept for showing.
        clock: Tells how long ago a fill was learned of.
    """

    def __init__(self, *, since_ms: int, quote_asset: str, keep: int = 200, clock: Clock = now_ns) -> None:
        self.since_ms = since_ms
        self._quote = quote_asset
        self._clock = clock
        self._recent: deque[Fill] = deque(maxlen=keep)
        self._begin()

    def _begin(self) -> None:
        self.complete = False
        """Whether the venue's list was read."""
        self._totals: dict[PositionSide, _Totals] = {}
        self._recent.clear()
        # Trade id to event time, of every fill that could still come again.
        self._seen: dict[str, int] = {}
        self._listed: set[str] = set()
        self._settled_ms = self.since_ms
        self._marks: deque[tuple[int, int]] = deque()

    @property
    def list_from_ms(self) -> int:
        """From where the venue has to be asked, so that nothing is missed."""
        return self._settled_ms

    @property
    def recent(self) -> tuple[Fill, ...]:
        """The newest fills, oldest first."""
        return tuple(self._recent)

    @property
    def remembered(self) -> int:
        """How many trade ids are held; bounded by what can still come twice."""
        return len(self._seen)

    def add(self, fills: Iterable[Fill]) -> list[Fill]:
        """Count those that were not counted yet, and answer them, oldest first."""
        new = []
        for fill in sorted(fills, key=lambda one: one.event_time_ms):
            # What is older than the settled time was in a complete list already.
            if fill.event_time_ms < self._settled_ms or fill.trade_id in self._seen:
                continue
            self._seen[fill.trade_id] = fill.event_time_ms
            self._count(fill)
            new.append(fill)
        if new:
            self._recent = deque(
                sorted([*self._recent, *new], key=lambda one: one.event_time_ms), maxlen=self._recent.maxlen
            )
        return new

    def add_list(self, fills: Iterable[Fill]) -> list[Fill]:
        """Count the venue's whole list from `list_from_ms` on, and forget what can't come twice any more.

        A list that lacks what an earlier one had is the list of another account: the count begins anew, and is
        not complete until the next list.
        """
        listed = list(fills)
        if not self._listed <= {fill.trade_id for fill in listed}:
            self._begin()
            return []
        new = self.add(listed)
        self.complete = True
        now = self._clock()
        self._marks.append((now, max(self._seen.values(), default=self._settled_ms)))
        while self._marks[0][0] <= now - LATE_NS:
            self._settled_ms = max(self._settled_ms, self._marks.popleft()[1])
        self._seen = {trade_id: at for trade_id, at in self._seen.items() if at >= self._settled_ms}
        self._listed = {fill.trade_id for fill in listed} & self._seen.keys()
        return new

    def profit(self, side: PositionSide) -> Profit | None:
        """Tell what the fills of one position came to; None before the first complete list."""
        if not self.complete:
            return None
        totals = self._totals.get(side, _Totals())
        return Profit(
            since_ms=self.since_ms,
            realized=totals.realized,
            fees=totals.fees.get(self._quote, Decimal(0)),
            other_fees={asset: paid for asset, paid in totals.fees.items() if asset != self._quote},
            volume=totals.volume,
            fills=totals.fills,
        )

    def _count(self, fill: Fill) -> None:
        totals = self._totals.setdefault(fill.position_side, _Totals())
        totals.realized += fill.realized_pnl
        totals.volume += fill.notional
        totals.fills += 1
        totals.fees[fill.fee_asset] = totals.fees.get(fill.fee_asset, Decimal(0)) + fill.fee
