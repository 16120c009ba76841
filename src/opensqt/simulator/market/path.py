"""The generated price: a random walk around a level that drifts. Integers only, so a seed determines it exactly."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from opensqt.simulator.engine.tape import PastBar

_FINE = 1_000
"""Resolution of the path: parts of a tick."""
_REVERSION_MS = 20_000
"""Time constant of the price's reversion to the level."""
_DRIFT_REVERSION_MS = 7_200_000
"""Time constant of the level's reversion to the start."""
_MINUTE_MS = 60_000
_ROOT_3 = Decimal(3).sqrt()


class PricePath:
    """A price in ticks that moves each *interval_ms*.

    Args:
        random: Random generator of this path.
        start: Ticks at the start.
        volatility_bps: Standard deviation of one second, in hundredths of a percent.
        interval_ms: Market time from one move to the next.
    """

    def __init__(self, random: Random, start: int, volatility_bps: Decimal, interval_ms: int) -> None:
        self._random = random
        self._start = start * _FINE
        self._price = self._level = self._start
        self._second = self._start * volatility_bps / 10_000
        clamped_ms = min(interval_ms, _REVERSION_MS)
        self._noise = self._amplitude(self._second * (Decimal(clamped_ms) / 1000).sqrt())
        self._drift = self._amplitude(self._second / 4 * (Decimal(interval_ms) / 1000).sqrt())
        self._pull = (clamped_ms, _REVERSION_MS)
        self._drift_pull = (min(interval_ms, _DRIFT_REVERSION_MS), _DRIFT_REVERSION_MS)

    def move(self) -> int:
        """Move by one interval and return the price in ticks."""
        self._level += self._chance(self._drift) + self._share(self._start - self._level, self._drift_pull)
        self._price += self._chance(self._noise) + self._share(self._level - self._price, self._pull)
        # Half of the start is far beyond the reach of the reversion; this keeps prices above zero for certain.
        self._price = max(self._price, self._start // 2)
        return self._price // _FINE

    def past(self, minutes: int, start_ms: int, tick: Decimal, volume: Decimal, step: Decimal) -> list[PastBar]:
        """Generate the minutes before *start_ms*, ending at the start price.

        Args:
            minutes: Number of minutes.
            start_ms: Market time of the start.
            tick: The price step.
            volume: Base coins in a typical minute.
            step: The quantity step.
        """
        swing = self._amplitude(self._second * 4)
        drift = self._amplitude(self._second * 2)
        closes, level = [self._start], self._start
        for _ in range(minutes):
            level += self._chance(drift) + self._share(self._start - level, (_MINUTE_MS, _DRIFT_REVERSION_MS))
            closes.append(max(level + self._chance(swing), self._start // 2))
        closes.reverse()
        first_ms = start_ms - start_ms % _MINUTE_MS - minutes * _MINUTE_MS
        bars = []
        for index in range(minutes):
            opened, closed = closes[index], closes[index + 1]
            high = max(opened, closed) + abs(self._chance(swing))
            low = min(opened, closed) - abs(self._chance(swing))
            steps = int(volume / step) * self._random.randint(60, 140) // 100
            bars.append(
                PastBar(
                    open_time_ms=first_ms + index * _MINUTE_MS,
                    open=opened // _FINE * tick,
                    high=high // _FINE * tick,
                    low=max(low // _FINE, 1) * tick,
                    close=closed // _FINE * tick,
                    volume=max(steps, 1) * step,
                )
            )
        return bars

    def _chance(self, amplitude: int) -> int:
        """Return an approximately normal number: the sum of four uniform draws, each of half the deviation."""
        # As randint draws, without its four calls: a start draws 24,000 numbers.
        draw, count, total = self._random.getrandbits, 2 * amplitude + 1, -4 * amplitude
        bits = count.bit_length()
        for _ in range(4):
            while (number := draw(bits)) >= count:
                pass
            total += number
        return total

    @staticmethod
    def _amplitude(deviation: Decimal) -> int:
        """Return the half width of each of the four draws for the sum to have *deviation*."""
        return int(deviation * _ROOT_3 / 2)

    @staticmethod
    def _share(distance: int, share: tuple[int, int]) -> int:
        return distance * share[0] // share[1]
