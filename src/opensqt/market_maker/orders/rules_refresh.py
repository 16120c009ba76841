"""When the venue's symbol rules have to be read again: each minute, and after a refusal that they may explain."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from opensqt.service.backoff import BackoffTimer

READ_EVERY_S = 60.0
"""Seconds between two reads. A symbol that is suspended gets no order, so that no refusal says when it trades again."""
READ_AFTER_S = 1.5
"""Seconds after the refusal: the connector reads the rules at the venue after it, too."""


@dataclass(slots=True)
class RulesRefresh:
    """Asks for the rules regularly, soon after a refusal, and less often while refusals go on."""

    due: float = inf
    """Infinity until it is first asked."""
    _spacing: BackoffTimer = field(default_factory=lambda: BackoffTimer(base_s=10, cap_s=60))

    def on_refusal(self, now: float) -> None:
        """Ask for the rules, unless they were asked for lately."""
        self.due = min(self.due, max(now + READ_AFTER_S, self._spacing.until))

    def take_due(self, now: float) -> bool:
        """Return whether the rules have to be read now; they count as asked for from then on."""
        if self.due == inf:
            self.due = now + READ_EVERY_S
        if now < self.due:
            return False
        self.due = now + READ_EVERY_S
        self._spacing.record_failure(now)
        return True

    def on_changed(self) -> None:
        """Take in that the rules were others: the refusals are explained."""
        self._spacing.reset()
