"""The limits on losses: of the account's equity since the start of the UTC day, and since its peak."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from opensqt.market_maker.risk.settings import LossSettings

DAY_MS = 86_400_000


class LossLimits:
    """Stops entries once a limit is broken: for the rest of the UTC day, or until a reset.

    A withdrawal lowers the equity and counts as a loss; `reset` takes the equity of now as the new start and peak.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: LossSettings) -> None:
        self._settings = settings
        self.equity: Decimal | None = None
        self.day = 0
        """UTC days since 1970."""
        self.day_start = Decimal(0)
        """Equity at the start of the day, as far as it was known."""
        self.peak = Decimal(0)
        self.day_reason = ""
        self.peak_reason = ""

    def on_equity(self, equity: Decimal, now_ms: int) -> None:
        """Take in the account's equity."""
        day = now_ms // DAY_MS
        if day > self.day or not self.day_start:
            # The last equity of the day before is the start, so that a loss over midnight belongs to a day.
            carried = self.equity if self.equity is not None and day == self.day + 1 else None
            self.day, self.day_start, self.day_reason = day, carried or equity, ""
        self.equity = equity
        self.peak = max(self.peak, equity)
        lost, drawn = self.day_start - equity, self.peak - equity
        if self._settings.day and lost > self._settings.day * self.day_start and not self.day_reason:
            self.day_reason = (
                f"loss of the day {_text(lost)} of {_text(self.day_start)}, daily_loss_limit {self._settings.day}:"
                " no entries until 00:00 UTC, or `opensqt reset --breaker`"
            )
        if self._settings.peak and drawn > self._settings.peak * self.peak and not self.peak_reason:
            self.peak_reason = (
                f"equity {_text(equity)} is {_text(drawn)} below its peak {_text(self.peak)},"
                f" peak_loss_limit {self._settings.peak}: no entries until `opensqt reset --breaker`"
            )

    def change(self, settings: LossSettings, now_ms: int) -> None:
        """Take over other limits: what they don't stop may begin again, and what they stop ends at once."""
        self._settings = settings
        self.day_reason = self.peak_reason = ""
        if self.equity is not None:
            self.on_equity(self.equity, now_ms)

    def on_time(self, now_ms: int) -> None:
        """End the limit of a day that is over."""
        if self.day_reason and now_ms // DAY_MS > self.day and self.equity is not None:
            self.on_equity(self.equity, now_ms)

    def triggered(self) -> dict[str, str]:
        """Return the reason by name of each limit that is broken."""
        if not self.day_reason and not self.peak_reason:
            return {}
        found = {"daily_loss": self.day_reason, "peak_loss": self.peak_reason}
        return {name: reason for name, reason in found.items() if reason}

    def reset(self) -> None:
        """Allow entries again; losses count from the equity of now."""
        self.day_reason = self.peak_reason = ""
        if self.equity is not None:
            self.day_start = self.peak = self.equity

    def stored(self) -> dict[str, Any]:
        """Return what a restart needs."""
        return {
            "day": self.day,
            "day_start": str(self.day_start),
            "peak": str(self.peak),
            "equity": None if self.equity is None else str(self.equity),
            "day_reason": self.day_reason,
            "peak_reason": self.peak_reason,
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Begin with what an earlier run stored."""
        self.day = int(stored.get("day", 0))
        self.day_start = Decimal(stored.get("day_start", "0"))
        self.peak = Decimal(stored.get("peak", "0"))
        self.equity = None if stored.get("equity") is None else Decimal(stored["equity"])
        # A limit that was switched off meanwhile stops nothing.
        self.day_reason = str(stored.get("day_reason", "")) if self._settings.day else ""
        self.peak_reason = str(stored.get("peak_reason", "")) if self._settings.peak else ""


def _text(number: Decimal) -> str:
    return format(round(number, 2), "f")
