"""The candle intervals that some venues have besides the common ones, and of which bars they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from opensqt.model.market import INTERVALS_MS

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
HONG_KONG_MS = 8 * _HOUR_MS
"""A name that ends with `+8` is that of an interval whose bars begin at Hong Kong's hours."""
_MONDAY_MS = 3 * _DAY_MS
"""Since the beginning of its week, at the beginning of time, which was a Thursday."""


@dataclass(frozen=True, slots=True)
class DerivedInterval:
    """An interval whose bars are made of shorter ones when they are asked for.

    Attributes:
        base: Interval of the shorter bars, a key of INTERVALS_MS; empty: they are made of trades.
        length_ms: Its usual length.
        opens: Returns the open time of the bar to which a time belongs.
        longest_ms: A time that is in the next bar, counted from the open time of one.
    """

    base: str
    length_ms: int
    opens: Callable[[int], int]
    longest_ms: int

    def closes(self, time_ms: int) -> int:
        """Return the open time of the bar after the one to which a time belongs."""
        return self.opens(self.opens(time_ms) + self.longest_ms)


def _every(length_ms: int, base: str, since_ms: int = 0) -> DerivedInterval:
    return DerivedInterval(base, length_ms, lambda time_ms: time_ms - (time_ms + since_ms) % length_ms, length_ms)


def _months(count: int, base: str, since_ms: int = 0) -> DerivedInterval:
    def opens(time_ms: int) -> int:
        day = datetime.fromtimestamp((time_ms + since_ms) // 1000, UTC)
        month = (day.month - 1) // count * count + 1
        return int(datetime(day.year, month, 1, tzinfo=UTC).timestamp()) * 1000 - since_ms

    return DerivedInterval(base, count * 30 * _DAY_MS, opens, (count * 31 + 1) * _DAY_MS)


DERIVED: dict[str, DerivedInterval] = {
    **{f"{count}s": _every(count * 1000, "") for count in (1, 10, 30)},
    "8h": _every(8 * _HOUR_MS, "4h"),
    "2d": _every(2 * _DAY_MS, "1d"),
    "3d": _every(3 * _DAY_MS, "1d"),
    "7d": _every(7 * _DAY_MS, "1d"),
    "1w": _every(7 * _DAY_MS, "1d", _MONDAY_MS),
    "1M": _months(1, "1d"),
    "3M": _months(3, "1d"),
    "6h+8": _every(6 * _HOUR_MS, "2h", HONG_KONG_MS),
    "12h+8": _every(12 * _HOUR_MS, "4h", HONG_KONG_MS),
    **{f"{days}d+8": _every(days * _DAY_MS, "4h", HONG_KONG_MS) for days in (1, 2, 3)},
    "1w+8": _every(7 * _DAY_MS, "4h", _MONDAY_MS + HONG_KONG_MS),
    "1M+8": _months(1, "4h", HONG_KONG_MS),
    "3M+8": _months(3, "4h", HONG_KONG_MS),
}
"""By name. A week begins on Monday, `7d` like the first day of 1970."""


def length_ms(interval: str) -> int:
    """Return the usual length of an interval."""
    return DERIVED[interval].length_ms if interval in DERIVED else INTERVALS_MS[interval]
