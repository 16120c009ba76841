"""Automatic reduction: when a limit on what is held is nearly used up, the oldest levels are offered at the touch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from opensqt.market_maker.risk.settings import ReduceLimits


class AutoReduce:
    """Chooses the levels that are sold, or bought back, at a loss. Each choice stays until its levels hold nothing.

    Args:
        settings: The share, and when it begins.
    """

    def __init__(self, settings: ReduceLimits) -> None:
        self._settings = settings
        self.levels: tuple[int, ...] = ()
        """The levels that are offered at the touch, oldest first."""
        self.reason = ""
        """What is done and why; empty while nothing is reduced."""
        self._next_ms = 0
        self._filled_ms: dict[int, int] = {}
        """The time of the first fill of each level that holds something, UTC epoch milliseconds."""

    @property
    def enabled(self) -> bool:
        """Whether it was asked for."""
        return self._settings.share > 0

    def change(self, settings: ReduceLimits) -> None:
        """Take over other settings; switched off, it ends what goes on."""
        self._settings = settings
        if not self.enabled:
            self.reset()

    def on_fill(self, level: int, *, holds: bool, time_ms: int) -> None:
        """Take in a fill of a level, and whether the level holds anything after it."""
        if holds:
            self._filled_ms.setdefault(level, time_ms)
        else:
            self._filled_ms.pop(level, None)

    def oldest_first(self, held: Collection[int], distance: Mapping[int, Decimal]) -> list[int]:
        """Return the levels that hold something, oldest first; of those of unknown age the furthest from the price."""
        return sorted(held, key=lambda level: (self._filled_ms.get(level, 0), -distance[level]))

    def update(self, oldest: Sequence[int], used: Decimal, what: str, now_ms: int) -> bool:
        """Choose levels when the time has come, and return whether anything changed.

        Args:
            oldest: The levels that hold something, oldest first.
            used: Part of the limit that is used.
            what: The limit.
            now_ms: UTC epoch milliseconds.
        """
        left = tuple(level for level in self.levels if level in oldest)
        changed = left != self.levels
        self.levels = left
        if not left:
            self.reason = ""
        begins = self.enabled and not left and oldest and used >= self._settings.above and now_ms >= self._next_ms
        if begins:
            count = int((self._settings.share * len(oldest)).to_integral_value(ROUND_CEILING))
            self.levels = tuple(oldest[:count])
            self._next_ms = now_ms + int(self._settings.every_s * 1000)
            names = ", ".join(str(level) for level in self.levels)
            self.reason = (
                f"the {count} oldest of {len(oldest)} held levels ({names}) are offered at the touch:"
                f" {used:.0%} of {what} is used"
            )
            changed = True
        return changed

    def reset(self) -> None:
        """End the reduction that goes on; the next one begins at its time."""
        self.levels, self.reason = (), ""

    def stored(self) -> dict[str, Any]:
        """Return what a restart needs."""
        if not self.enabled:
            return {}
        return {
            "levels": list(self.levels),
            "reason": self.reason,
            "next_ms": self._next_ms,
            "filled_ms": {str(level): at for level, at in self._filled_ms.items()},
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Begin with what an earlier run stored."""
        if not self.enabled:
            return
        self.levels = tuple(int(level) for level in stored.get("levels", ()))
        self.reason = str(stored.get("reason", ""))
        self._next_ms = int(stored.get("next_ms", 0))
        self._filled_ms = {int(level): int(at) for level, at in stored.get("filled_ms", {}).items()}
