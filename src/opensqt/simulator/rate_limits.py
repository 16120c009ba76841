"""Rate limits as venues keep them: so much in a fixed window, and a ban for who goes on after the refusal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit was passed: how long to stay away, and whether it is a ban."""

    retry_after_ms: int
    banned: bool = False


class FixedWindow:
    """Counts use per key in windows that start at whole multiples of their length, as venues do."""

    def __init__(self, limit: int, length_ms: int) -> None:
        self.limit = limit
        self.length_ms = length_ms
        self._used: dict[str, tuple[int, int]] = {}

    def used(self, key: str, now_ms: int) -> int:
        """What *key* has used of the window that *now_ms* lies in."""
        window, used = self._used.get(key, (-1, 0))
        return used if window == now_ms // self.length_ms else 0

    def count(self, key: str, amount: int, now_ms: int) -> bool:
        """Count *amount* and say whether the limit still holds."""
        used = self.used(key, now_ms) + amount
        self._used[key] = (now_ms // self.length_ms, used)
        return used <= self.limit

    def remaining_ms(self, now_ms: int) -> int:
        """Time until the next window."""
        return self.length_ms - now_ms % self.length_ms


class AddressLimiter:
    """Lets an address pass until it used up its window, and bans it when it goes on asking.

    Args:
        window: What an address may use.
        ban_after: So many requests after the first refusal bring a ban.
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
        """Count a request; answer a refusal when it may not pass."""
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
