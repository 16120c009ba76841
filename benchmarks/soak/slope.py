"""Whether a series grows: a robust slope, and whether it is more than chance.

A series is not flat when both are true. Its Theil-Sen slope (the median of the slopes of all pairs, so that a few
steps and spikes don't matter) adds more over the measured time than the series is allowed; and Mann-Kendall's test
says that so many rises among the pairs come by chance less than once in a thousand runs. The first says that the
growth matters, the second that it is there.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

WARM_UP = 0.25
"""Share of the run that is cut off: caches, arenas of the allocator and pools of connections fill first."""
_CHANCE_Z = 3.09
"""One in a thousand, one-sided."""
_FEWEST = 8
"""With fewer, even a series that always rises may be chance."""
_POINTS = 300
"""Pairs grow with the square of the points, so a longer series is first thinned to medians of its parts."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a series may grow from the end of the warm-up to the end of the run."""

    absolute: float
    share: float = 0.0
    """Of the series' median; the larger of the two counts."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What became of one series."""

    name: str
    unit: str
    median: float
    growth: float
    """Over the measured time."""
    allowed: float
    z: float
    """Mann-Kendall's statistic: 0 is no trend, above 3 is no chance."""

    @property
    def flat(self) -> bool:
        return self.growth <= self.allowed or self.z <= _CHANCE_Z


def judge(name: str, unit: str, points: Sequence[tuple[float, float]], allowance: Allowance) -> Trend:
    """Judge one series of (seconds, value), its warm-up included."""
    measured = _thinned(points[int(len(points) * WARM_UP) :])
    if len(measured) < _FEWEST:
        raise ValueError(f"{name}: {len(points)} samples are too few to find a slope; run for longer")
    lasted = measured[-1][0] - measured[0][0]
    median = statistics.median(value for _, value in measured)
    allowed = max(allowance.absolute, allowance.share * median)
    return Trend(name, unit, median, theil_sen(measured) * lasted, allowed, mann_kendall(measured))


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of all pairs, in units a second."""
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))


def mann_kendall(points: Sequence[tuple[float, float]]) -> float:
    """Return how many standard deviations the count of rising pairs is from what chance makes it."""
    values = [value for _, value in points]
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    count = len(values)
    ties = [values.count(value) for value in set(values)]
    variance = (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    return 0.0 if not variance else (score - math.copysign(1, score) if score else 0) / math.sqrt(variance)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = math.ceil(len(points) / _POINTS)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[len(part) // 2][0], statistics.median(value for _, value in part)) for part in parts]
