"""The simulator's two clocks: the server's, which checks requests, and the market's, which events carry."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opensqt.model.clock import now_ms


class SimulatorClock:
    """The server's and the market's time.

    The server clock is the wall clock plus a scripted skew. The market clock equals the wall clock for a live
    generated market, runs at *speed* from *start_ms* in a replay, and stands still in manual mode until `advance`.
    A clock that runs waits for its market: it never shows a time whose trades have not all been made (`played_ms`).

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
        self._stop_ms: int | None = None
        self.manual = manual
        self.held = held
        self.played_ms: int | None = None
        """Market time up to which the market has executed everything; None while no market drives the clock."""
        self.skew_ms = 0
        """Error of the server clock, in milliseconds; set it to skew the clock."""

    def server_ms(self) -> int:
        """Return the server's time, UTC epoch milliseconds, skew included."""
        return self._wall_ms() + self.skew_ms

    def due_ms(self) -> int:
        """Return the time at which the market should be by now, UTC epoch milliseconds."""
        if self.manual or self.held:
            return self._market_start_ms + self._advanced_ms
        elapsed_ms = max(0, self._wall_ms() - self._wall_start_ms)
        due_ms = self._market_start_ms + int(elapsed_ms * self.speed)
        return due_ms if self._stop_ms is None else min(due_ms, self._stop_ms)

    def market_ms(self) -> int:
        """Return the market's time, UTC epoch milliseconds: where it should be, or where it is if it is late."""
        due_ms = self.due_ms()
        if self.manual or self.played_ms is None:
            return due_ms
        return max(self._market_start_ms, min(due_ms, self.played_ms))

    @property
    def lag_ms(self) -> int:
        """Market time by which the market is late."""
        return max(0, self.due_ms() - self.market_ms())

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
        self._restart()
        self.speed = speed

    def release(self) -> None:
        """Let the clock run from its current time, without a stop ahead. Does nothing for a manual one."""
        if self.held or self._stop_ms is not None:
            self._restart()
            self.held, self._stop_ms = False, None

    def run_until(self, stop_ms: int) -> None:
        """Let the clock run up to *stop_ms* and stand still there, until it is released or has a later stop.

        Raises:
            ValueError: The clock is manual, or the time is over.
        """
        if self.manual:
            raise ValueError("until_ms: expected a clock that runs; a manual one moves only by advance_ms")
        if stop_ms < (now_ms := self.market_ms()):
            raise ValueError(f"until_ms {stop_ms}: expected {now_ms} or later; market time never goes back")
        self._restart()
        self.held, self._stop_ms = False, stop_ms

    def _restart(self) -> None:
        """Count from the current time on: what the market is late by now is forgotten."""
        self._market_start_ms, self._wall_start_ms = self.market_ms(), self._wall_ms()
