"""When orders expire by their own time in force. No clock."""

from __future__ import annotations

from heapq import heappop, heappush

ExpiryKey = tuple[str, str, str]
"""What expires: `order` or `conditional`, the account, the id."""


class Expiries:
    """The times at which orders expire."""

    def __init__(self) -> None:
        self._due_ms: dict[ExpiryKey, int] = {}
        self._queue: list[tuple[int, ExpiryKey]] = []

    def set(self, key: ExpiryKey, due_ms: int) -> None:
        """Let one expire at *due_ms*."""
        self._due_ms[key] = due_ms
        heappush(self._queue, (due_ms, key))

    def clear(self, key: ExpiryKey) -> None:
        """Forget one that is over."""
        self._due_ms.pop(key, None)

    def take_due(self, now_ms: int) -> list[tuple[int, ExpiryKey]]:
        """Return and forget what has expired, first what expired first."""
        due = []
        while self._queue and self._queue[0][0] <= now_ms:
            at, key = heappop(self._queue)
            if self._due_ms.get(key) == at:
                del self._due_ms[key]
                due.append((at, key))
        return due
