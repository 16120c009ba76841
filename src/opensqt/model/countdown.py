"""The venue's own countdown, which cancels orders when nobody renews it: what a venue offers, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class CountdownRules:
    """The countdown of one venue."""

    by_symbol: bool
    """Whether each symbol has its own. Otherwise there is one for the account."""
    cancels: str
    """The orders that it cancels, as a sentence for people: it may reach orders that are not ours."""
    shortest_s: int
    longest_s: int


@runtime_checkable
class HasCountdown(Protocol):
    """An exchange that can have the venue cancel orders."""

    @property
    def countdown_rules(self) -> CountdownRules | None:
        """The venue's countdown; None where it has none."""
        ...

    async def prepare_countdown(self, timeout_s: int) -> None:
        """Do at the start what takes the venue a while to apply.

        Raises:
            ExchangeError: The venue refused it, or did not respond.
        """
        ...

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Let the venue cancel orders in *timeout_s* seconds, unless this is called again before.

        Args:
            symbol: Canonical; empty where the venue has one countdown for the account.
            timeout_s: 0 stops the countdown.

        Raises:
            ExchangeError: The venue refused it, or did not respond.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedCountdown:
    """One countdown that the connector keeps armed at the venue."""

    symbol: str
    """Canonical; empty where it is the account's."""
    armed_until_ms: int
    """UTC epoch milliseconds at which the venue cancels the orders, unless it is renewed; 0 while it is not armed."""
    clients: tuple[str, ...]
    """The clients that hold a lease and have orders under it."""
    trouble: str = ""
    """Why the last attempt to arm it failed; empty when it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedCountdown:
    """A countdown that ran out while nobody renewed it."""

    symbol: str
    """Canonical; empty where it was the account's."""
    ended_ms: int
    """UTC epoch milliseconds."""
    canceled_orders: int
    """How many orders of lease holders the venue was found to have canceled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMachineStatus:
    """Whether the venue cancels the orders of lease holders when this machine dies."""

    timeout_s: int
    """Seconds after the last sign of life; 0 while it is off."""
    cancels: str
    """The orders that the venue would cancel, as a sentence; empty while it is off."""
    countdowns: tuple[ArmedCountdown, ...] = field(default=())
    elapsed: tuple[ElapsedCountdown, ...] = field(default=())
    """The latest ones, oldest first."""
