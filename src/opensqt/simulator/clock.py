"""The simulator's two clocks: the server's, which checks requests, and the market's, which events carry."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opensqt.model.clock import now_ms


class SimulatorClock:
    """The server's and the market's time.

    The server clock is the wall clock plus a scripted skew. The market clock equals the wall clock for a live
    generated market, runs at *speed* from *start_ms* in a replay, and stands still in manual mode until `advance`.

    Args:
        start_ms: Market time now; None takes the time of the wall clock.
        speed: Market seconds in one real second.
        manual: Whether market time moves only by `advance`.
        held: Whether market time waits for `release` before it runs.
        wall_ms: UTC epoch milliseconds; tests inject their own.
    """

    def __init__(
        self,
        *,
        start_ms: int | None = None,
        speed: Decimal = Decimal(1),
        manual: bool = False,
        held: bool = False,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._wall_ms = wall_ms
        self._wall_start_ms = wall_ms()
        self._market_start_ms = self._wall_start_ms if start_ms is None else start_ms
        self.speed = speed
        self._advanced_ms = 0
        self.manual = manual
        self.held = held
        self.skew_ms = 0
        """Error of the server clock, in milliseconds; set it to skew the clock."""

    def server_ms(self) -> int:
        """Return the server's time, UTC epoch milliseconds, skew included."""
        return self._wall_ms() + self.skew_ms

    def market_ms(self) -> int:
        """Return the market's time, UTC epoch milliseconds."""
        if self.manual or self.held:
            return self._market_start_ms + self._advanced_ms
        elapsed_ms = max(0, self._wall_ms() - self._wall_start_ms)
        return self._market_start_ms + int(elapsed_ms * self.speed)

    def advance(self, milliseconds: int) -> int:
        """Step market time in manual mode and return the new time.

        Raises:
            ValueError: The clock is live, or the step is below zero.
        """
        if not self.manual:
            raise ValueError("clock: expected a manual one to advance; start with clock=manual")
        if milliseconds < 0:
            raise ValueError(f"advance_ms {milliseconds}: expected zero or above; market time never goes back")
        self._advanced_ms += milliseconds
        return self.market_ms()

    def set_speed(self, speed: Decimal) -> None:
        """Let market time run at another speed from now on.

        Raises:
            ValueError: The clock is manual, or the speed is not above zero.
        """
        if self.manual:
            raise ValueError("speed: expected a clock that runs; a manual one moves only by advance_ms")
        if not speed > 0:
            raise ValueError(f"speed {speed}: expected above zero")
        now_ms = self.market_ms()
        if not self.held:
            self._market_start_ms, self._wall_start_ms = now_ms, self._wall_ms()
        self.speed = speed

    def release(self) -> None:
        """Let a held clock run from its current time. Does nothing for a clock that runs already."""
        if self.held:
            self._wall_start_ms = self._wall_ms()
            self.held = False
