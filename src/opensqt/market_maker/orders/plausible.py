"""What the venue sends and can't be: rules without a step, times of the future."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.clock import MAX_AHEAD_MS, is_plausible
from opensqt.model.venue import SymbolRules

REPORTED_S = 60.0
"""Seconds for which it is a problem after it was last seen."""
_EPOCH_MS = 1_000_000_000_000
_LEAST_STEP, _MOST_STEP = Decimal("1E-18"), Decimal("1E+12")
"""Beyond these a price that is rounded to a step is no number that can be computed with."""


def rules_defect(rules: SymbolRules) -> str:
    """Return what makes no sense in a venue's rules; empty when all does."""
    for name in ("price_step", "quantity_step"):
        value = getattr(rules, name)
        if not value.is_finite() or value <= 0:
            return f"{name} {value}: expected above zero"
        if not _LEAST_STEP <= value <= _MOST_STEP:
            return f"{name} {value}: expected from {_LEAST_STEP} to {_MOST_STEP}"
    for name in ("min_quantity", "min_notional", "contract_size"):
        value = getattr(rules, name)
        if not value.is_finite() or value < 0:
            return f"{name} {value}: expected zero or more"
    return "" if rules.quote_asset and rules.base_asset else "base_asset, quote_asset: expected names"


class Plausibility:
    """Checks what the venue sends, and reports what was not taken.

    Args:
        started_ms: UTC epoch milliseconds at *now*; a small number where there is no clock.
        now: Monotonic seconds.
    """

    def __init__(self, started_ms: int, now: float) -> None:
        self._started_ms, self._started = started_ms, now
        self._now = now
        self._rules_defect = ""
        self._seen: dict[str, float] = {}

    def advance(self, now: float) -> None:
        """Take in the time."""
        self._now = now

    def takes_rules(self, rules: SymbolRules) -> bool:
        """Return whether rules can be worked with."""
        self._rules_defect = rules_defect(rules)
        return not self._rules_defect

    def takes_time(self, event_time_ms: int, received_ns: int) -> bool:
        """Return whether a venue's time is not of the future; without a time of receipt, our own clock shows it."""
        ok = is_plausible(event_time_ms, received_ns)
        if not received_ns and self._started_ms > _EPOCH_MS:
            ok = event_time_ms <= self._started_ms + (self._now - self._started) * 1000 + MAX_AHEAD_MS
        if not ok:
            self._seen["the exchange sends a time of the future, which is not taken for the newest"] = self._now
        return ok

    def problems(self, now: float) -> list[str]:
        """Return what was not taken lately, and rules that can't be worked with."""
        found = [text for text, seen in self._seen.items() if now - seen <= REPORTED_S]
        if self._rules_defect:
            found.append(
                f"symbol rules: the exchange reports {self._rules_defect}; the former stay until it reports others"
            )
        return found
