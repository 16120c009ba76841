"""The seam between strategy and execution: market and inventory in, target orders out.

A strategy is a `Quoter`, four pure functions. The planner calls `frame` with each price, and the other three only for
what has changed since: the levels that entered or left a window, and the levels whose slot changed.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol, TypeVar

from opensqt.model.immutable import immutable
from opensqt.model.order import BUY, Side

FAR = 1 << 40
"""Further than any level: the open end of a range of levels."""
NO_LEVELS = range(0)
ALL_LEVELS = range(-FAR, FAR)


@immutable
class MarketState:
    """What is known of the market. Prices are quote per base coin."""

    bid: Decimal
    """Best bid, without our own orders."""
    ask: Decimal
    """Best ask, without our own orders."""
    reference: Decimal
    """The price that quotes are laid around."""
    mark: Decimal | None = None
    funding_rate: Decimal | None = None
    """Of the next payment, a fraction of the notional; above zero a long position pays."""
    next_funding_ms: int | None = None
    """UTC epoch milliseconds."""
    volatility: Decimal | None = None
    """Average true range of a candle, quote."""
    highest_buy: Decimal | None = None
    """No buy is laid above it; None is the reference."""
    lowest_sell: Decimal | None = None
    """No sell is laid below it; None is the reference."""
    entry_distance: Decimal = Decimal(0)
    """Smallest distance of a new entry from the reference, quote."""

    @property
    def buy_limit(self) -> Decimal:
        """The price that no buy is laid above."""
        highest = self.highest_buy
        return self.reference if highest is None or self.reference < highest else highest

    @property
    def sell_limit(self) -> Decimal:
        """The price that no sell is laid below."""
        lowest = self.lowest_sell
        return self.reference if lowest is None or self.reference > lowest else lowest

    def bound(self, side: Side, price: Decimal) -> Decimal:
        """Return the price of an order of a side, at most at its limit."""
        return min(price, self.buy_limit) if side is BUY else max(price, self.sell_limit)

    def entry_limit(self, side: Side) -> Decimal:
        """Return the price that no new entry of a side is laid beyond: a buy above it, a sell below it."""
        if not self.entry_distance:
            return self.buy_limit if side is BUY else self.sell_limit
        if side is BUY:
            return min(self.buy_limit, self.reference - self.entry_distance)
        return max(self.sell_limit, self.reference + self.entry_distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """The prices that entries may have, quote."""

    floor: Decimal = Decimal(0)
    ceiling: Decimal | None = None
    """None is no ceiling."""

    @property
    def is_limited(self) -> bool:
        """Whether any price is outside."""
        return self.floor > 0 or self.ceiling is not None

    def has(self, price: Decimal) -> bool:
        """Return whether an entry may be laid at *price*."""
        return price >= self.floor and (self.ceiling is None or price <= self.ceiling)


class Level(Protocol):
    """The state of a price level that a quoter may use."""

    @property
    def quantity(self) -> Decimal:
        """Base coins held there; below zero is short."""
        ...

    @property
    def cost(self) -> Decimal:
        """Cost of these coins, quote; below zero for a short holding."""
        ...


class WorkingOrder(Protocol):
    """The part of a live order that a quoter may use."""

    @property
    def level(self) -> int:
        """The level that it belongs to."""
        ...

    @property
    def side(self) -> Side:
        """Buy or sell."""
        ...

    @property
    def price(self) -> Decimal:
        """Quote per base coin."""
        ...

    @property
    def remaining(self) -> Decimal:
        """Base coins that may still be filled."""
        ...

    @property
    def closes(self) -> bool:
        """Whether it is an exit: it reduces what its level holds."""
        ...


class Inventory(Protocol):
    """What the strategy holds."""

    @property
    def position(self) -> Decimal:
        """Base coins over all levels; below zero is short."""
        ...

    @property
    def cost(self) -> Decimal:
        """Cost of the position, quote, before fees."""
        ...

    @property
    def slots(self) -> Mapping[int, Level]:
        """The levels that hold something or have an order."""
        ...


@immutable
class Permission:
    """The orders that may be placed and kept now. An exit reduces what its level holds; any other order is an entry."""

    buys: int
    """Number of new entries that buy."""
    sells: int = 0
    """Number of new entries that sell."""
    exits: bool = True
    """Whether exits may be placed."""
    pull_buys: bool = False
    """Whether live entries that buy have to be cancelled."""
    pull_sells: bool = False
    """Whether live entries that sell have to be cancelled."""
    pulled: Collection[str] = ()
    """Client ids of live entries that have to be cancelled, whatever the rest allows."""
    reduced: Collection[int] = ()
    """Levels whose holding is offered at the touch, whatever it cost."""
    hold: bool = False
    """Whether live orders stay where they are: nothing is placed, and only what is pulled is cancelled."""
    backed_off: Container[int] = ()
    """Levels whose last order was refused, until their back-off is over."""
    requoted: Container[int] = ()
    """Levels whose last order would have taken liquidity: priced at the touch instead of one step from it."""

    def entries(self, side: Side) -> int:
        """Return the number of new entries of a side."""
        return self.buys if side is BUY else self.sells

    def pulls(self, side: Side) -> bool:
        """Return whether the live entries of a side have to be cancelled."""
        return self.pull_buys if side is BUY else self.pull_sells


@immutable
class TargetOrder:
    """An order that the strategy wants in the market."""

    level: int
    side: Side
    price: Decimal
    quantity: Decimal
    """Base coins."""
    closes: bool = False
    """Whether it is an exit: it reduces what its level holds."""
    taker: bool = False
    """Whether it takes liquidity at once and what is left of it ends; only where the user has asked for that."""


@immutable
class SideWindow:
    """The levels that have orders of one side."""

    entries: range = NO_LEVELS
    """Levels that hold nothing and get an order of this side, nearest first."""
    exits: range = NO_LEVELS
    """Levels whose holding is offered by an order of this side, nearest first."""
    kept: range = ALL_LEVELS
    """Levels whose live order stays when it was judged `Keep.IN_WINDOW`; ascending."""


@immutable
class Windows:
    """The levels that have orders."""

    buy: SideWindow = SideWindow()
    sell: SideWindow = SideWindow()

    def of(self, side: Side) -> SideWindow:
        """Return the window of a side."""
        return self.buy if side is BUY else self.sell


class Keep(Enum):
    """How long a live order stays."""

    NO = "no"
    """It is cancelled."""
    FOR_NOW = "for now"
    """Until the frame changes; then the quoter is asked again."""
    IN_WINDOW = "in window"
    """Until its slot changes or its level leaves `SideWindow.kept`."""
    ALWAYS = "always"
    """Until its slot changes."""


class QuoteFrame(Hashable, Protocol):
    """What all quotes of a moment have in common.

    Two frames that are equal want the same orders: exact prices that don't matter are left out of the comparison.
    """

    @property
    def market(self) -> MarketState:
        """The market that it was made of."""
        ...


F = TypeVar("F", bound=Any)


class Quoter(Protocol[F]):
    """A strategy. All four functions are pure: the same arguments, the same result."""

    def frame(self, market: MarketState, inventory: Inventory) -> F:
        """Return the frame of the moment. Called with each price, so that its cost must not follow the levels."""
        ...

    def windows(self, frame: F) -> Windows:
        """Return the levels that have orders."""
        ...

    def quote(self, frame: F, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        """Return the order that a level wants, or None.

        Args:
            frame: Of the moment.
            level: A level of the windows, without an order.
            held: What the level holds.
            at_touch: Whether the last order would have taken liquidity, so that this one has to keep more distance.
        """
        ...

    def keeps(self, frame: F, order: WorkingOrder, held: Level) -> Keep:
        """Return how long a live order stays. The side that opens is cancelled apart from this by `Permission`."""
        ...
