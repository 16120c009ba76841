"""Countdowns of the venue: an account's orders are canceled unless the countdown is set anew in time. No clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CountdownScope:
    """The orders that a countdown cancels."""

    account: str
    symbol: str = ""
    """Canonical; empty is every symbol."""
    tag: str = ""
    """Only orders that were placed with this tag; empty is every order."""


class Countdowns:
    """The countdowns that run."""

    def __init__(self) -> None:
        self._due_ms: dict[CountdownScope, int] = {}

    def set(self, scope: CountdownScope, due_ms: int) -> None:
        """Let the countdown of *scope* end at *due_ms*, whenever it was to end before."""
        self._due_ms[scope] = due_ms

    def clear(self, scope: CountdownScope) -> None:
        """Stop a countdown, if it runs."""
        self._due_ms.pop(scope, None)

    def due_ms(self, scope: CountdownScope) -> int | None:
        """Return when a countdown ends, or None if it does not run."""
        return self._due_ms.get(scope)

    def take_due(self, now_ms: int) -> list[tuple[int, CountdownScope]]:
        """Return and forget the countdowns that have ended, first the one that ended first."""
        if not self._due_ms:
            return []
        due = sorted(((at, scope) for scope, at in self._due_ms.items() if at <= now_ms), key=lambda one: one[0])
        for _, scope in due:
            del self._due_ms[scope]
        return due
