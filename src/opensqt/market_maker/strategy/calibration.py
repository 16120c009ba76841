"""Parameters of the closed form from recorded trades: how far prices reach within a while, and how much they move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DISTANCES = 12
"""Distances that the decay of the fills is fitted to."""
LEAST_WINDOWS = 20
"""Windows of time that an estimate needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Estimates from recorded trades. They are statistics, not amounts of money: floats are exact enough."""

    arrivals: float
    """Fills of an order at the reference price, per second."""
    decay: float
    """How fast they become fewer with the distance, per unit of quote."""
    volatility: float
    """Standard deviation of the price over one second, quote."""
    windows: int
    """Windows of time that the estimates come from."""


def calibrate(trades: Iterable[tuple[int, float]], *, window_ms: int = 1000) -> Calibration:
    """Estimate the parameters.

    An order at a distance from the price at the start of a window is taken as filled when a trade of the window reaches
    it. Of the share that is filled follows the intensity at that distance, and a line through its logarithms has the
    arrivals as its height and the decay as its slope.

    Args:
        trades: Venue time in milliseconds and price, oldest first.
        window_ms: Length of a window.

    Raises:
        ValueError: The trades are too few, or their price did not move.
    """
    reaches, moves = _windows(trades, window_ms)
    if len(moves) < LEAST_WINDOWS:
        raise ValueError(f"{len(moves)} windows of {window_ms} ms have trades: expected at least {LEAST_WINDOWS}")
    seconds = window_ms / 1000
    volatility = math.sqrt(sum(move * move for move in moves) / len(moves) / seconds)
    points = _intensities(reaches, seconds)
    if len(points) < 3 or not volatility:
        raise ValueError("the price moved too little to fit the arrivals to: give more trades, or a longer window")
    slope, height = _line(points)
    if slope >= 0:
        raise ValueError("fills do not become fewer with the distance: give more trades, or another window")
    return Calibration(arrivals=math.exp(height), decay=-slope, volatility=volatility, windows=len(moves))


def _windows(trades: Iterable[tuple[int, float]], window_ms: int) -> tuple[list[float], list[float]]:
    """Return how far each window reaches from its first price, up and down, and how far it moves in the end."""
    reaches: list[float] = []
    moves: list[float] = []
    start_ms, first, last, low, high = 0, 0.0, 0.0, 0.0, 0.0
    for time_ms, price in trades:
        if not start_ms:
            start_ms, first, last, low, high = time_ms, price, price, price, price
        while time_ms >= start_ms + window_ms:
            reaches += [high - first, first - low]
            moves.append(last - first)
            start_ms, first, low, high = start_ms + window_ms, last, last, last
        last, low, high = price, min(low, price), max(high, price)
    return reaches, moves


def _intensities(reaches: Sequence[float], seconds: float) -> list[tuple[float, float]]:
    """Return distances, and the logarithm of the fills per second there."""
    ordered = sorted(reaches)
    moved = [reach for reach in ordered if reach > 0]
    points: list[tuple[float, float]] = []
    for number in range(1, DISTANCES + 1):
        if not moved:
            break
        distance = moved[min(len(moved) - 1, len(moved) * number // (DISTANCES + 2))]
        share = sum(1 for reach in ordered if reach >= distance) / len(ordered)
        if 0 < share < 1 and distance not in dict(points):
            points.append((distance, math.log(-math.log(1 - share) / seconds)))
    return points


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return slope and height of the line of least squares."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return slope, mean_y - slope * mean_x
