"""The limits on what is held: entries that would break one when all of them fill are not placed, or are cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from opensqt.market_maker.risk.settings import ExposureLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEntry:
    """A live order that raises what is held."""

    client_order_id: str
    level: int
    price: Decimal
    outstanding: Decimal
    """Base coins that it may still add to the counted fills; a fill that is not counted yet is part of it."""
    cancellable: bool
    """Whether it is open and no cancel of it is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the grid holds and what it may come to hold."""

    position: Decimal
    """Base coins from counted fills, signed."""
    price: Decimal
    """The price that a coin is valued at, quote."""
    levels: frozenset[int]
    """Levels that hold something."""
    entries: Sequence[LiveEntry]
    entry_value: Decimal
    """The most that one more entry may be worth when it is filled, quote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExposure:
    """What the limits need of the account, quote; None is not known yet."""

    wallet: Decimal | None = None
    others: Decimal = Decimal(0)
    """Value of the positions in other symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the limits allow."""

    new: int | None = None
    """Entries that may be added; None is not limited."""
    beyond: tuple[str, ...] = ()
    """Client ids of the live entries that are too many, furthest first."""
    reason: str = ""
    """Which limit is reached; empty while another entry has room."""


def value_limit(limits: ExposureLimits, account: AccountExposure) -> tuple[Decimal | None, str]:
    """Return the most that this symbol's position may be worth, quote, and the limit that says so; None is no limit."""
    found: list[tuple[Decimal, str]] = []
    if limits.wallet_symbol and account.wallet is not None:
        found.append((limits.wallet_symbol * account.wallet, f"wallet_exposure_limit {limits.wallet_symbol}"))
    if limits.wallet_total and account.wallet is not None:
        total = limits.wallet_total * account.wallet - account.others
        found.append((total, f"wallet_exposure_limit_total {limits.wallet_total}"))
    if limits.quote_total:
        found.append((limits.quote_total - account.others, f"exposure_limit {limits.quote_total}"))
    if not found:
        return None, ""
    value, name = min(found)
    return max(value, Decimal(0)), name


def allow(held: Held, limits: ExposureLimits, account: AccountExposure) -> Allowance:
    """Return how many entries may be added, and which live ones have to go, so that all of them may fill.

    The live entries nearest to the price stay. Those that can't be cancelled count whatever their distance.
    """
    most, name = value_limit(limits, account)
    if most is None and not limits.levels:
        return Allowance()
    left = None if most is None else most - abs(held.position) * held.price
    levels = set(held.levels)
    beyond: list[str] = []
    by_distance = sorted(held.entries, key=lambda entry: (entry.cancellable, abs(entry.price - held.price)))
    for entry in by_distance:
        value = entry.outstanding * max(entry.price, held.price)
        fits = (left is None or value <= left) and (
            not limits.levels or entry.level in levels or len(levels) < limits.levels
        )
        if entry.cancellable and not fits:
            beyond.append(entry.client_order_id)
            continue
        levels.add(entry.level)
        left = None if left is None else left - value
    counts: list[tuple[int, str]] = []
    if left is not None:
        room = max(left, Decimal(0)) / held.entry_value if held.entry_value > 0 else Decimal(0)
        counts.append((int(room.to_integral_value(ROUND_FLOOR)), f"{name}: {_text(most)} quote in this symbol"))
    if limits.levels:
        counts.append((max(0, limits.levels - len(levels)), f"max_levels_held {limits.levels}"))
    new, limit = min(counts)
    reached = not new or beyond
    return Allowance(new=0 if beyond else new, beyond=tuple(reversed(beyond)), reason=limit if reached else "")


def _text(number: Decimal | None) -> str:
    return "" if number is None else format(round(number, 2), "f")
