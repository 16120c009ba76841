"""The limits of a grid, as its decisions use them. Zero and empty switch a limit off."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureLimits:
    """How much may be held."""

    wallet_symbol: Decimal = ZERO
    """Value of this symbol's position / wallet balance."""
    wallet_total: Decimal = ZERO
    """Value of all positions of the account / wallet balance."""
    quote_total: Decimal = ZERO
    """Value of all positions of the account, quote."""
    levels: int = 0
    """Levels of the grid that hold something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """How much of the account's equity may be lost."""

    day: Decimal = ZERO
    """Part of the equity at the start of the UTC day."""
    peak: Decimal = ZERO
    """Part of the highest equity since the last reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When the circuit breaker opens, and for how long. Times in seconds."""

    losses_in_a_row: int = 0
    drawdown: Decimal = ZERO
    """Part of the highest equity of the window."""
    drawdown_window_s: float = 3600.0
    latency_ms: float = 0.0
    """Median of the calls of the window that place orders."""
    reject_rate: Decimal = ZERO
    """Part of the orders of the window that the venue refused for good."""
    window_s: float = 60.0
    """Of latency and rejects."""
    least_orders: int = 20
    """Orders, and calls, below which neither says anything."""
    cool_down_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """The monitor of volume and price."""

    symbols: tuple[str, ...] = ()
    interval: str = "1m"
    volume_multiplier: Decimal = Decimal(3)
    average_window: int = 20
    """Candles, the current one included."""
    recovery_threshold: int = 3
    """Symbols that must have closed above their average with normal volume."""
    any_symbol: bool = False
    """Whether one symbol in alarm is enough; otherwise all have to be."""

    @property
    def candles(self) -> tuple[object, ...]:
        """Return what has to be read anew when it is another."""
        return self.symbols, self.interval, self.average_window


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceLimits:
    """The automatic reduction of the oldest levels."""

    share: Decimal = ZERO
    """Part of the held levels that is offered at the touch, rounded up."""
    above: Decimal = Decimal("0.9")
    """Part of a limit on what is held above which it begins."""
    every_s: float = 3600.0
    """Seconds between two beginnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """All limits of one grid."""

    exposure: ExposureLimits = ExposureLimits()
    losses: LossSettings = LossSettings()
    breaker: BreakerLimits = BreakerLimits()
    monitor: MonitorSettings = MonitorSettings()
    reduce: ReduceLimits = ReduceLimits()
