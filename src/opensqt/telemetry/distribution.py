"""Counts values by size at almost no cost: written on the hot path, and read only when metrics are scraped."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Distribution:
    """The content of a Prometheus histogram.

    Args:
        bounds: Upper bounds of the buckets, rising; values above the last one count as well.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    @property
    def count(self) -> int:
        """Number of values."""
        return sum(self._counts)

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound, as Prometheus writes it, and the number of values up to it."""
        counts: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*map(float, self._bounds), float("inf")), self._counts, strict=True):
            below += count
            counts.append(("+Inf" if bound == float("inf") else repr(bound), float(below)))
        return counts
