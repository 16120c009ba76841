"""Percentiles, alternating runs, and a result beside its goal."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Awaitable[Any]]
_WARM_UP = 100


@dataclass(frozen=True)
class Result:
    """What was measured for one goal."""

    row: str
    """The row of the table of goals, e.g. `read`."""
    what: str
    value: float
    goal: float | None
    """None for a result that only explains another."""
    at_least: bool = False
    """Whether the goal is the least rather than the most."""
    unit: str = ""
    detail: str = ""
    """The results behind a ratio."""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


@dataclass(frozen=True)
class Round:
    """The latencies of one run of calls, in milliseconds."""

    p50: float
    p99: float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(values_ms: Sequence[float]) -> Round:
    return Round(percentile(values_ms, 0.5), percentile(values_ms, 0.99))


async def timed(call: Call) -> float:
    """Return how many milliseconds one call takes."""
    started = time.perf_counter_ns()
    await call()
    return (time.perf_counter_ns() - started) / 1e6


async def alternate(
    ways: Mapping[str, Call], *, rounds: int, calls: int, after: Call | None = None
) -> dict[str, list[Round]]:
    """Run each way *calls* times a round, way after way, so that whatever else the machine does meets all of them.

    Args:
        ways: What is compared.
        rounds: How often each way runs.
        calls: In one run.
        after: What tidies up after each run, untimed.
    """
    runs: dict[str, list[Round]] = {name: [] for name in ways}
    for call in ways.values():
        await _run(call, _WARM_UP, after)
    for number in range(rounds):
        # The order is reversed each round, so that no way always follows the same other.
        for name in list(ways)[:: 1 if number % 2 else -1]:
            runs[name].append(await _run(ways[name], calls, after))
    return runs


async def _run(call: Call, calls: int, after: Call | None) -> Round:
    times_ms = [await timed(call) for _ in range(calls)]
    if after is not None:
        await after()
    return summary(times_ms)


def median_ratio(ours: Sequence[float], floor: Sequence[float]) -> float:
    """Return the median of the ratios of alternating runs."""
    return statistics.median(one / other for one, other in zip(ours, floor, strict=True))


def p50s(runs: Sequence[Round]) -> list[float]:
    return [run.p50 for run in runs]


def p99s(runs: Sequence[Round]) -> list[float]:
    return [run.p99 for run in runs]


def medians(runs: Sequence[Round]) -> str:
    """Return the medians of runs as text."""
    return f"{statistics.median(p50s(runs)):.2f} / {statistics.median(p99s(runs)):.2f} ms"
