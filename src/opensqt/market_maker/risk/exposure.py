"""The limits on what is held: entries that would break one when all of them fill are not placed, or are cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from opensqt.market_maker.risk.live_entries import LiveEntry
from opensqt.market_maker.risk.settings import ExposureLimits
from opensqt.model.order import Side


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
    """The live entries, without those of `kept_value`."""
    entry_value: Decimal
    """The most that one more entry may be worth when it is filled, quote."""
    kept_value: Decimal = Decimal(0)
    """What those entries are worth that stay in any case, nearer than the others or not to be cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherGrid:
    """Another grid of this process, quote."""

    held: Decimal
    """Value of its position."""
    entries: Decimal
    """What its entries may add to it."""
    window: Decimal
    """What a full window of entries is worth."""

    def reserved(self, share: Decimal) -> Decimal:
        """Return the room that it has beyond what it holds."""
        return max(self.entries, min(self.window, share - self.held))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExposure:
    """What the limits need of the account, quote; None is not known yet."""

    wallet: Decimal | None = None
    others: Decimal = Decimal(0)
    """Value of the positions in other symbols."""
    other_grids: tuple[OtherGrid, ...] = ()
    """The other grids of this process."""

    @property
    def other_entries(self) -> Decimal:
        """Return what the entries of the other grids may add to the positions."""
        return sum((grid.entries for grid in self.other_grids), Decimal(0))

    def reserved(self, total: Decimal) -> Decimal:
        """Return the part of a limit over all that is left to the other grids, beyond what is held.

        That is what their entries may add, or the room of their windows while that is within an equal share: else the
        grid that places first would keep the others away.
        """
        share = total / (len(self.other_grids) + 1)
        return sum((grid.reserved(share) for grid in self.other_grids), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What the limits allow."""

    new: int | None = None
    """Entries that may be added; None is not limited."""
    beyond: tuple[str, ...] = ()
    """Client ids of the live entries that are too many, furthest first."""
    reason: str = ""
    """Which limit is reached; empty while another entry has room."""


def value_limit(
    limits: ExposureLimits, account: AccountExposure, *, held_only: bool = False
) -> tuple[Decimal | None, str]:
    """Return the most that this symbol's position may be worth, quote, and the limit that says so; None is no limit.

    Args:
        limits: The limits.
        account: What they need of it.
        held_only: Leave out what the other grids may come to hold.
    """
    found: list[tuple[Decimal, str]] = []
    if limits.wallet_symbol and account.wallet is not None:
        found.append((limits.wallet_symbol * account.wallet, f"wallet_exposure_limit {limits.wallet_symbol}"))
    if limits.wallet_total and account.wallet is not None:
        total = limits.wallet_total * account.wallet
        total -= account.others + (Decimal(0) if held_only else account.reserved(total))
        found.append((total, f"wallet_exposure_limit_total {limits.wallet_total}"))
    if limits.quote_total:
        total = limits.quote_total
        total -= account.others + (Decimal(0) if held_only else account.reserved(total))
        found.append((total, f"exposure_limit {limits.quote_total}"))
    if not found:
        return None, ""
    value, name = min(found)
    return max(value, Decimal(0)), name


def allow(
    sides: Mapping[Side, Held], limits: ExposureLimits, account: AccountExposure, *, occupied: int | None = None
) -> dict[Side, Allowance]:
    """Return by side how many entries may be added, and which live ones have to go, so that all of them may fill.

    The live entries nearest to the price stay. Those that can't be cancelled count whatever their distance. The sides
    share the cap on levels, so that what one of them adds is no longer there for the other.

    Args:
        sides: What is held and what may come to it, by the side of the entries.
        limits: The limits.
        account: What they need of it.
        occupied: The levels that hold something or have an entry, at most the cap, where no entry is beyond a limit
            on value. Then the levels of the sides are not looked at.
    """
    most, name = value_limit(limits, account)
    found = {side: _within_value(held, most, name) for side, held in sides.items()}
    if not limits.levels:
        return found
    if occupied is not None:
        return _shared(found, limits.levels - occupied, limits, {})
    gone = {client_id for each in found.values() for client_id in each.beyond}
    levels = {level for held in sides.values() for level in held.levels}
    left = [
        (side, held, one) for side, held in sides.items() for one in held.entries if one.client_order_id not in gone
    ]
    left.sort(key=lambda row: _nearest_first(row[2], row[1]))
    beyond: dict[Side, list[str]] = {side: [] for side in sides}
    for side, _, entry in left:
        if entry.cancellable and entry.level not in levels and len(levels) >= limits.levels:
            beyond[side].append(entry.client_order_id)
        else:
            levels.add(entry.level)
    return _shared(found, max(0, limits.levels - len(levels)), limits, beyond)


def _shared(
    found: Mapping[Side, Allowance], room: int, limits: ExposureLimits, beyond: Mapping[Side, Sequence[str]]
) -> dict[Side, Allowance]:
    """Return what is allowed with *room* levels for all sides together."""
    shares = {side: (room + len(found) - 1 - number) // len(found) for number, side in enumerate(found)}
    name = f"max_levels_held {limits.levels}"
    return {
        side: _narrowed(one, shares[side], tuple(reversed(beyond.get(side, ()))), name) for side, one in found.items()
    }


def _within_value(held: Held, most: Decimal | None, name: str) -> Allowance:
    if most is None:
        return Allowance()
    left = most - abs(held.position) * held.price - held.kept_value
    beyond: list[str] = []
    for entry in sorted(held.entries, key=lambda one: _nearest_first(one, held)):
        value = entry.value(held.price)
        if entry.cancellable and value > left:
            beyond.append(entry.client_order_id)
        else:
            left -= value
    room = max(left, Decimal(0)) / held.entry_value if held.entry_value > 0 else Decimal(0)
    new = 0 if beyond else int(room.to_integral_value(ROUND_FLOOR))
    reason = "" if new else f"{name}: {_text(most)} quote in this symbol"
    return Allowance(new=new, beyond=tuple(reversed(beyond)), reason=reason)


def _narrowed(allowance: Allowance, new: int, beyond: tuple[str, ...], name: str) -> Allowance:
    """Return *allowance* with another limit on the number of entries added."""
    new = 0 if beyond or allowance.beyond else new
    if allowance.new is not None and allowance.new <= new and not beyond:
        return allowance
    return Allowance(new=new, beyond=(*allowance.beyond, *beyond), reason="" if new else name)


def _nearest_first(entry: LiveEntry, held: Held) -> tuple[bool, Decimal]:
    return entry.cancellable, abs(entry.price - held.price)


def _text(number: Decimal) -> str:
    return format(round(number, 2), "f")
