"""The rows of a recording, whatever its format was. Times are UTC epoch nanoseconds, prices and quantities exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.order import Side


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices of an interval."""

    time_ns: int
    """When it opened."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Base coins; approximate where the file contains quote only."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade."""

    time_ns: int
    price: Decimal
    quantity: Decimal
    """Base coins."""
    side: Side | None
    """The taker's; None where the file does not contain it."""


@dataclass(frozen=True, slots=True)
class RecordedLevel:
    """The quantity at one price of the book from now on; zero removes the price."""

    time_ns: int
    """Zero in a snapshot without a time, for the start of another file."""
    side: Side
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class BookReset:
    """Prices of the book are void: a snapshot follows, or the feed had a gap."""

    time_ns: int
    side: Side | None = None
    """None for both."""
    until: Decimal | None = None
    """The last price that is void, counted from the best; None for all."""


@dataclass(frozen=True, slots=True)
class FundingRate:
    """The rate of the next funding."""

    time_ns: int
    rate: Decimal


Row = Bar | Trade | RecordedLevel | BookReset | FundingRate
