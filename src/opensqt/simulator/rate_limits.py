"""Rate limits as venues apply them: a fixed window, and a ban for an address that continues after refusals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit was exceeded: the time to wait, and whether it is a ban."""

    retry_after_ms: int
    banned: bool = False


class FixedWindow:
    """Counts usage per key in windows that start at whole multiples of their length, as venues do."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self.length_ms = length_ms
        self._used: dict[str, tuple[int, int]] = {}

    def used(self, key: str, now_ms: int) -> int:
        """Return the usage of *key* in the window that contains *now_ms*."""
        window, used = self._used.get(key, (-1, 0))
        return used if window == now_ms // self.length_ms else 0

    def count(self, key: str, amount: int, now_ms: int) -> bool:
        """Count *amount* and return whether the limit still holds."""
        used = self.used(key, now_ms) + amount
        self._used[key] = (now_ms // self.length_ms, used)
        return used <= self.limit

    def remaining_ms(self, now_ms: int) -> int:
        """Return the time until the next window."""
        return self.length_ms - now_ms % self.length_ms


class AddressLimiter:
    """Admits an address until its window is used up, and bans it when it continues after refusals.

    Args:
        window: Limit of one address.
        ban_after: Number of refusals in a row after which the next request brings a ban.
        ban_ms: Length of the first ban; each further one lasts twice as long.
    """

    def __init__(self, window: FixedWindow, *, ban_after: int, ban_ms: int) -> None:
        self.window = window
        self._ban_after = ban_after
        self._ban_ms = ban_ms
        self._refused: dict[str, int] = {}
        self._banned_until: dict[str, int] = {}
        self._bans: dict[str, int] = {}

    def admit(self, address: str, weight: int, now_ms: int) -> Refusal | None:
        """Count a request; return a refusal when it exceeds the limit."""
        until = self._banned_until.get(address, 0)
        if now_ms < until:
            return Refusal(until - now_ms, banned=True)
        if self.window.count(address, weight, now_ms):
            self._refused.pop(address, None)
            return None
        refused = self._refused[address] = self._refused.get(address, 0) + 1
        if refused <= self._ban_after:
            return Refusal(self.window.remaining_ms(now_ms))
        self._refused.pop(address)
        bans = self._bans[address] = self._bans.get(address, 0) + 1
        self._banned_until[address] = now_ms + self._ban_ms * 2 ** (bans - 1)
        return Refusal(self._banned_until[address] - now_ms, banned=True)
