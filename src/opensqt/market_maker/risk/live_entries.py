"""The live entries of one side with their sums: what all of them are worth costs the same for any number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

from sortedcontainers import SortedList

_EXACT = Context(prec=80)
_NONE = Decimal(0)


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

    def value(self, price: Decimal) -> Decimal:
        """Return what it is worth when it is filled, quote: at the price of now or its own, whichever is higher."""
        return self.outstanding * max(self.price, price)


class LiveEntries:
    """The live entries of one side."""

    def __init__(self, entries: Iterable[LiveEntry] = ()) -> None:
        self._by_level: dict[int, tuple[LiveEntry, ...]] = {}
        self._by_price: SortedList[tuple[Decimal, str]] = SortedList()
        self._entries: dict[str, LiveEntry] = {}
        self._outstanding = self._notional = _NONE
        """Sums of the coins, and of the coins at the entries' own prices."""
        for entry in entries:
            self._by_level[entry.level] = (*self._by_level.get(entry.level, ()), entry)
            self._add(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LiveEntry]:
        return iter(self._entries.values())

    @property
    def notional(self) -> Decimal:
        """Return what all entries are worth at their own prices, quote."""
        return self._notional

    def set_level(self, level: int, entries: tuple[LiveEntry, ...]) -> None:
        """Replace the entries of a level."""
        for entry in self._by_level.pop(level, ()):
            del self._entries[entry.client_order_id]
            self._by_price.remove((entry.price, entry.client_order_id))
            self._count(-entry.outstanding, entry.price)
        if entries:
            self._by_level[level] = entries
        for entry in entries:
            self._add(entry)

    def value(self, price: Decimal) -> Decimal:
        """Return what all entries are worth when they are filled, quote."""
        at = self._by_price.bisect_left((price, ""))
        if at > len(self._by_price) // 2:
            outstanding, notional = self._sums(range(at, len(self._by_price)))
            below = _EXACT.multiply(_EXACT.subtract(self._outstanding, outstanding), price)
            return _EXACT.add(below, notional)
        outstanding, notional = self._sums(range(at))
        above = _EXACT.subtract(self._notional, notional)
        return _EXACT.add(above, _EXACT.multiply(outstanding, price))

    def split(self, price: Decimal, most: Decimal) -> tuple[Decimal, list[LiveEntry]]:
        """Divide the entries at a limit; only those are looked at that may be beyond it.

        Args:
            price: The price of now, quote.
            most: What the entries may be worth, quote.

        Returns:
            The value of those that are within the limit, which are the nearest and all that can't be cancelled, and
            the others, nearest first.
        """
        kept = self.value(price)
        others: list[LiveEntry] = []
        for entry in self._furthest_first(price):
            if kept <= most:
                break
            if entry.cancellable:
                others.append(entry)
                kept = _EXACT.subtract(kept, entry.value(price))
        return kept, others[::-1]

    def _furthest_first(self, price: Decimal) -> Iterator[LiveEntry]:
        ordered = self._by_price
        low, high = 0, len(ordered) - 1
        while low <= high:
            lowest, highest = ordered[low], ordered[high]
            if price - lowest[0] >= highest[0] - price:
                low += 1
                yield self._entries[lowest[1]]
            else:
                high -= 1
                yield self._entries[highest[1]]

    def _sums(self, places: range) -> tuple[Decimal, Decimal]:
        outstanding = notional = _NONE
        for _, client_order_id in self._by_price.islice(places.start, places.stop):
            entry = self._entries[client_order_id]
            outstanding = _EXACT.add(outstanding, entry.outstanding)
            notional = _EXACT.fma(entry.outstanding, entry.price, notional)
        return outstanding, notional

    def _add(self, entry: LiveEntry) -> None:
        self._entries[entry.client_order_id] = entry
        self._by_price.add((entry.price, entry.client_order_id))
        self._count(entry.outstanding, entry.price)

    def _count(self, outstanding: Decimal, price: Decimal) -> None:
        self._outstanding = _EXACT.add(self._outstanding, outstanding)
        self._notional = _EXACT.fma(outstanding, price, self._notional)
