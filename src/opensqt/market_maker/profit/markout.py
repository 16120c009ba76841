"""Markout: what a fill was worth some time later, by the middle of the book.

A fill that is followed by worse prices was picked off. The markout of a fill at a horizon is what one of its coins
gained from the fill's price to the middle of the book at that time; below zero is a loss.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.model.immutable import immutable
from opensqt.model.order import Side

HORIZONS_S = (1, 5, 30, 300)
"""Seconds after the fill at which the middle is noted."""


@immutable
class Markout:
    """The middle of the book at and after one fill."""

    trade_id: str
    level: int
    side: Side
    price: Decimal
    quantity: Decimal
    mid: Decimal
    """At the fill."""
    later: tuple[Decimal | None, ...] = (None,) * len(HORIZONS_S)
    """At each horizon; None before it, and where no price of that time was known."""
    time_ms: int = 0

    def gain(self, horizon: int) -> Decimal | None:
        """Return the markout of one coin at the horizon of that index, quote; None when it is not known."""
        later = self.later[horizon]
        return None if later is None else self.side.sign * (later - self.price)


@dataclass(frozen=True, slots=True)
class MarkoutSum:
    """The markouts of several fills at one horizon."""

    fills: int = 0
    gain: Decimal = Decimal(0)
    """Quote, of all coins."""
    notional: Decimal = Decimal(0)
    """Quote that was traded."""

    @property
    def ratio(self) -> Decimal | None:
        """The gain as a fraction of what was traded; None without a fill."""
        return self.gain / self.notional if self.notional else None

    def after(self, markout: Markout, gain: Decimal) -> MarkoutSum:
        """Return the sum with one fill added."""
        traded = markout.price * markout.quantity
        return MarkoutSum(self.fills + 1, self.gain + gain * markout.quantity, self.notional + traded)


class Markouts:
    """The markouts of a grid: those that wait for their time, and the sums of those that are known.

    Args:
        known: Fills of an earlier run; what is missing in them stays so.
        max_age_s: Seconds for which a price holds while no newer one arrives.
    """

    def __init__(self, known: Iterable[Markout] = (), *, max_age_s: float = 30.0) -> None:
        self._max_age_s = max_age_s
        self._due: list[tuple[float, int, str]] = []
        self._open: dict[str, Markout] = {}
        self._changed: dict[str, Markout] = {}
        self.by_side: dict[tuple[Side, int], MarkoutSum] = {}
        """By side and index of the horizon."""
        self.by_level: dict[tuple[int, Side, int], MarkoutSum] = {}
        for markout in known:
            for horizon in range(len(HORIZONS_S)):
                self._sum(markout, horizon)

    def add(self, markout: Markout, now: float) -> None:
        """Begin to follow a fill that happened now."""
        self._open[markout.trade_id] = self._changed[markout.trade_id] = markout
        for horizon, seconds in enumerate(HORIZONS_S):
            heapq.heappush(self._due, (now + seconds, horizon, markout.trade_id))

    def advance(self, now: float, mid: Decimal | None, mid_at: float) -> None:
        """Note the middle at every horizon that was reached.

        Args:
            now: Monotonic seconds.
            mid: The middle that held until now; None before the first.
            mid_at: When it was received.
        """
        while self._due and self._due[0][0] <= now:
            due, horizon, trade_id = heapq.heappop(self._due)
            markout = self._open[trade_id]
            if mid is not None and due - mid_at <= self._max_age_s:
                later = (*markout.later[:horizon], mid, *markout.later[horizon + 1 :])
                markout = self._open[trade_id] = self._changed[trade_id] = replace(markout, later=later)
                self._sum(markout, horizon)
            if horizon == len(HORIZONS_S) - 1:
                del self._open[trade_id]

    def take_changed(self) -> tuple[Markout, ...]:
        """Return the fills whose markouts changed since the last call."""
        changed, self._changed = tuple(self._changed.values()), {}
        return changed

    @property
    def changed(self) -> bool:
        """Whether `take_changed` would return any."""
        return bool(self._changed)

    def _sum(self, markout: Markout, horizon: int) -> None:
        gain = markout.gain(horizon)
        if gain is None:
            return
        side, level = (markout.side, horizon), (markout.level, markout.side, horizon)
        self.by_side[side] = self.by_side.get(side, MarkoutSum()).after(markout, gain)
        self.by_level[level] = self.by_level.get(level, MarkoutSum()).after(markout, gain)
