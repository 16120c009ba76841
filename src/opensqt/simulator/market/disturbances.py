"""Disturbances of one symbol's market: a side of the book that is away, and a price that is away from the mark."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.order import Side

_NONE = Decimal(0)


class Disturbances:
    """The disturbances that are in force. Distances are shares of the price, times market milliseconds."""

    def __init__(self) -> None:
        self._holes: dict[Side, tuple[Decimal, int]] = {}
        self._shift = (_NONE, 0)

    @property
    def shift(self) -> Decimal:
        """How far the market is moved away from its own price; above zero is up."""
        return self._shift[0]

    def hole(self, side: Side) -> Decimal:
        """Return how much further away than usual the best quote of a side is; 0 without a hole."""
        return self._holes.get(side, (_NONE, 0))[0]

    def open_hole(self, side: Side, distance: Decimal, until_ms: int) -> None:
        """Take the quotes of a side away, up to *distance*."""
        self._holes[side] = (distance, until_ms)

    def move(self, shift: Decimal, until_ms: int) -> None:
        """Move the market away from its own price."""
        self._shift = (shift, until_ms)

    def expire(self, now_ms: int) -> bool:
        """End what is over; return whether anything has ended."""
        over = [side for side, (_, until_ms) in self._holes.items() if until_ms <= now_ms]
        for side in over:
            del self._holes[side]
        back = bool(self.shift) and self._shift[1] <= now_ms
        if back:
            self._shift = (_NONE, 0)
        return bool(over) or back
