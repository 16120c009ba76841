"""How long a response was on its way, from two clocks that need not agree."""

from __future__ import annotations

_WINDOW_NS = 60 * 10**9


class Transit:
    """Compares when responses were sent, by the sender's clock, with when they arrived, by ours.

    The smallest difference of the last minute or two stands for the two clocks; what a response took beyond it
    was its way. So clocks may differ by any amount, and drift, but the fastest way counts as no time.
    """

    def __init__(self) -> None:
        self._since_ns = 0
        self._before_ns: int | None = None
        self._least_ns: int | None = None

    def delay_ns(self, sent_ns: int, arrived_ns: int) -> int:
        """Return how much longer than the fastest a response took."""
        difference = arrived_ns - sent_ns
        if self._least_ns is None or arrived_ns - self._since_ns > _WINDOW_NS:
            self._before_ns, self._least_ns, self._since_ns = self._least_ns, difference, arrived_ns
        self._least_ns = min(self._least_ns, difference)
        fastest = self._least_ns if self._before_ns is None else min(self._before_ns, self._least_ns)
        return difference - fastest
