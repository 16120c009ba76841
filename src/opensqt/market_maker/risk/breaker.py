"""The circuit breaker: stops entries for a time after losses, a drawdown, slow answers or many refusals."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from statistics import median
from typing import Any

from opensqt.market_maker.risk.settings import BreakerLimits

MOST_SAMPLES = 5000


class CircuitBreaker:
    """Open, it lets no entry through; the cool-down or a reset closes it.

    Times are UTC epoch milliseconds, so that it stays open over a restart.

    Args:
        settings: When it opens.
    """

    def __init__(self, settings: BreakerLimits) -> None:
        self._settings = settings
        self.reason = ""
        """Why it is open; empty while it is closed."""
        self.open_until_ms = 0
        self.trips = 0
        self.losses = 0
        """Exits in a row that lost."""
        self._last_exit = ""
        self._equity: deque[tuple[int, Decimal]] = deque(maxlen=MOST_SAMPLES)
        self._latencies: deque[tuple[int, float]] = deque(maxlen=MOST_SAMPLES)
        self._outcomes: deque[tuple[int, bool]] = deque(maxlen=MOST_SAMPLES)

    @property
    def is_open(self) -> bool:
        """Whether entries are stopped."""
        return bool(self.reason)

    def on_exit(self, client_order_id: str, profit: Decimal, now_ms: int) -> None:
        """Take in a fill of an exit with its profit; the fills of one order count once."""
        if profit >= 0:
            self.losses = 0
        elif client_order_id != self._last_exit:
            self.losses += 1
        self._last_exit = client_order_id
        most = self._settings.losses_in_a_row
        if most and self.losses >= most:
            self._trip(f"{self.losses} exits in a row lost (losses_in_a_row {most})", now_ms)

    def on_equity(self, equity: Decimal, now_ms: int) -> None:
        """Take in the account's equity."""
        self._equity.append((now_ms, equity))
        _forget(self._equity, now_ms - int(self._settings.drawdown_window_s * 1000))
        highest = max(value for _, value in self._equity)
        limit = self._settings.drawdown
        if limit and highest > 0 and highest - equity > limit * highest:
            minutes = self._settings.drawdown_window_s / 60
            fallen = f"equity fell from {round(highest, 2):f} to {round(equity, 2):f} within {minutes:g} minutes"
            self._trip(f"{fallen} (drawdown {limit})", now_ms)

    def on_latency(self, milliseconds: float, now_ms: int) -> None:
        """Take in how long a call took that places orders."""
        self._latencies.append((now_ms, milliseconds))
        _forget(self._latencies, now_ms - int(self._settings.window_s * 1000))
        limit = self._settings.latency_ms
        if limit and len(self._latencies) >= self._settings.least_orders:
            middle = median(value for _, value in self._latencies)
            if middle > limit:
                self._trip(f"orders take {middle:.0f} ms (latency_ms {limit:g})", now_ms)

    def on_outcome(self, refused: bool, now_ms: int) -> None:
        """Take in whether the venue refused an order for good. One that it took never opens the breaker."""
        self._outcomes.append((now_ms, refused))
        _forget(self._outcomes, now_ms - int(self._settings.window_s * 1000))
        limit = self._settings.reject_rate
        if limit and refused and len(self._outcomes) >= self._settings.least_orders:
            count = sum(1 for _, bad in self._outcomes if bad)
            if count > limit * len(self._outcomes):
                self._trip(f"{count} of {len(self._outcomes)} orders refused (reject_rate {limit})", now_ms)

    def on_time(self, now_ms: int) -> bool:
        """Close it when its cool-down is over, and return whether it did."""
        if not self.reason or now_ms < self.open_until_ms:
            return False
        self.reset()
        return True

    def change(self, settings: BreakerLimits) -> None:
        """Take over other limits. Open, it stays open until its cool-down is over, or a reset."""
        self._settings = settings

    def reset(self) -> None:
        """Close it, and forget what opened it."""
        self.reason, self.open_until_ms, self.losses = "", 0, 0
        self._equity.clear()
        self._latencies.clear()
        self._outcomes.clear()

    def stored(self) -> dict[str, Any]:
        """Return what a restart needs."""
        return {
            "reason": self.reason,
            "open_until_ms": self.open_until_ms,
            "trips": self.trips,
            "losses": self.losses,
            "last_exit": self._last_exit,
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Begin with what an earlier run stored."""
        self.reason = str(stored.get("reason", ""))
        self.open_until_ms = int(stored.get("open_until_ms", 0))
        self.trips = int(stored.get("trips", 0))
        self.losses = int(stored.get("losses", 0))
        self._last_exit = str(stored.get("last_exit", ""))

    def _trip(self, reason: str, now_ms: int) -> None:
        if self.reason:
            return
        self.trips += 1
        self.reason = reason
        self.open_until_ms = now_ms + int(self._settings.cool_down_s * 1000)


def _forget(samples: deque[tuple[int, Any]], before_ms: int) -> None:
    while samples and samples[0][0] < before_ms:
        samples.popleft()
