"""When a countdown at the venue has to be renewed, and until when it can be relied on. No I/O and no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from opensqt.model.order import OrderRef

_RETRY_S = 1.0
LATE_REQUEST_S = 30.0
"""A request that got no response may reach the venue this much later: OKX accepts a signature for so long."""
TROUBLE_KEPT_S = 60.0
"""A countdown that nobody needs now, and that could not be armed, is reported for this long."""


@dataclass(slots=True)
class Countdown:
    """One countdown. All times are seconds of one clock that goes on while the machine sleeps."""

    symbol: str
    """Canonical; empty where it is the account's."""
    timeout_s: int
    clients: set[str] = field(default_factory=set)
    """The lease holders with orders under it."""
    orders: tuple[OrderRef, ...] = ()
    """Their orders when it was last armed."""
    until_s: float = -inf
    """The venue cancels no order before this time, and every order soon after it."""
    until_ms: int = 0
    """The same as UTC epoch milliseconds; 0 while it is not armed."""
    trouble: str = ""
    """Why the last attempt to arm or to stop it failed."""
    trouble_s: float = -inf
    failures: int = 0
    """Failed attempts in a row."""
    _next_s: float = -inf
    _retry_s: float = -inf
    _may_run_until_s: float = -inf
    """The venue may cancel orders until this time, whatever is known of the attempts."""
    _late_until_s: float = -inf
    """An attempt without a response may reach the venue until this time."""

    def is_armed(self, now_s: float) -> bool:
        """Return whether the venue cancels the orders unless it hears of us again."""
        return now_s < self.until_s

    def is_due(self, now_s: float) -> bool:
        """Return whether it is time for the next attempt: each third of the timeout, sooner after a failure."""
        return now_s >= self._next_s

    def may_be_armed(self, now_s: float) -> bool:
        """Return whether an attempt to arm it makes sense: it is due or not armed, and did not fail a moment ago."""
        return now_s >= self._retry_s and (self.is_due(now_s) or not self.is_armed(now_s))

    def is_late(self, now_s: float) -> bool:
        """Return whether less than a third of the timeout is left: two renewals failed, or none succeeded."""
        return self.until_s - now_s < self.timeout_s / 3

    def may_run(self, now_s: float) -> bool:
        """Return whether it has to be stopped where it is not needed."""
        return now_s < max(self._may_run_until_s, self._late_until_s)

    def ran_out(self, now_s: float) -> bool:
        """Return whether it was armed, and was not renewed in time."""
        return self.until_ms > 0 and now_s >= self.until_s

    def is_forgettable(self, now_s: float) -> bool:
        """Return whether nothing is left to do or to report, once no client needs it."""
        return not self.may_run(now_s) and now_s - self.trouble_s > TROUBLE_KEPT_S

    def adopt(self, left_s: float, now_s: float) -> None:
        """Take over a countdown of an earlier run, which may still count at the venue."""
        self._may_run_until_s = now_s + left_s

    def armed(self, sent_s: float, sent_ms: int) -> None:
        """Take in that the venue accepted an attempt that was sent at this time."""
        self.until_s, self.until_ms = sent_s + self.timeout_s, sent_ms + self.timeout_s * 1000
        # The venue counts from when the request reached it.
        self._may_run_until_s = self.until_s + LATE_REQUEST_S
        self._next_s = sent_s + self.timeout_s / 3
        self.trouble, self.failures, self.trouble_s = "", 0, -inf

    def failed(self, sent_s: float, now_s: float, reason: str, *, may_arrive: bool) -> None:
        """Take in that an attempt failed; *may_arrive* is whether the venue may have got it, or get it still."""
        self.trouble, self.trouble_s = reason, now_s
        self.failures += 1
        self._next_s = self._retry_s = now_s + _RETRY_S
        if may_arrive:
            self._late_until_s = sent_s + LATE_REQUEST_S
            self._may_run_until_s = max(self._may_run_until_s, sent_s + LATE_REQUEST_S + self.timeout_s)

    def stopping(self) -> None:
        """Rely on it no longer: an attempt to stop it is made."""
        self.until_s, self.until_ms = -inf, 0

    def stopped(self, now_s: float) -> None:
        """Take in that the venue stopped it; an earlier attempt to arm it that is late may start it once more."""
        self.trouble, self.failures, self.trouble_s = "", 0, -inf
        self._may_run_until_s = -inf
        self._next_s = now_s + self.timeout_s / 3 if now_s < self._late_until_s else -inf
