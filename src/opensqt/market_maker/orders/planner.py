"""Target orders minus live orders: what to place and what to cancel, at a cost that follows the change.

The planner keeps indexes of levels and live orders. Each plan looks at the levels whose slot changed since the last
one, at the levels that entered or left the quoter's windows, and at the orders that it places and cancels.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Generic, TypeVar

from sortedcontainers import SortedList

from opensqt.market_maker.orders.levels import LevelSet
from opensqt.market_maker.orders.slots import LiveOrder, Slot
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.quoter import (
    Keep,
    MarketState,
    Permission,
    PriceRange,
    Quoter,
    SideWindow,
    TargetOrder,
    Windows,
)
from opensqt.model.immutable import immutable
from opensqt.model.order import BUY, SELL, Side
from opensqt.model.venue import SymbolRules

F = TypeVar("F")

_EMPTY = Slot(level=0)
"""Stands for a level that holds nothing and has no order."""
_SIDES = (SELL, BUY)


@immutable
class Plan:
    """The orders to place and to cancel; empty when the live orders are the target orders."""

    places: tuple[TargetOrder, ...] = ()
    cancels: tuple[LiveOrder, ...] = ()


class _SideIndex:
    """The levels and live orders of one side."""

    def __init__(self) -> None:
        self.span = range(0)
        """The window of entries, ascending."""
        self.empty = LevelSet()
        """Free levels in the window of entries that hold nothing that could be traded."""
        self.held = LevelSet()
        """Free levels that hold something which this side closes."""
        self.in_window: set[int] = set()
        """Levels whose order stays while the level is in the kept window."""
        self.entries: set[int] = set()
        """Levels whose order adds to what they hold."""
        self.pullable: dict[int, LiveOrder] = {}
        """Those of the entries that can be cancelled."""


class Planner(Generic[F]):
    """Compares what a quoter wants with the orders that are live.

    Args:
        quoter: The strategy.
        state: The slots. The planner takes note of each change of them.
        rules: The venue's steps and minimums.
        max_open_orders: Live orders, both sides together.
        cleanup_batch: Orders that are cancelled at once to make room for a nearer one.
        price_range: The prices that entries may have.
    """

    def __init__(
        self,
        quoter: Quoter[F],
        state: GridState,
        rules: SymbolRules,
        *,
        max_open_orders: int,
        cleanup_batch: int,
        price_range: PriceRange | None = None,
    ) -> None:
        self.quoter = quoter
        self._state = state
        self._slots = state.slots
        self._cancellable = state.cancellable
        self._least = max(rules.min_quantity, rules.quantity_step)
        self._most, self._round_quantity = rules.max_quantity, rules.round_quantity
        self._max_open_orders = max_open_orders
        self._cleanup_batch = cleanup_batch
        self._rules = rules
        self._price_range = price_range if price_range is not None and price_range.is_limited else None
        self._frame: F | None = None
        self._windows = Windows()
        self._orders: dict[int, LiveOrder] = {}
        """The live order of each level as it was last looked at."""
        self._of_side = {side: _SideIndex() for side in _SIDES}
        self._sell, self._buy = self._of_side[SELL], self._of_side[BUY]
        self._by_price: dict[Side, SortedList[tuple[Decimal, int]]] | None = None
        """The live orders by price, from the first time on that there was no room for one that is nearer."""
        self._misplaced: set[int] = set()
        self._for_now: set[int] = set()
        self._cancelling: set[int] = set()
        self._to_cancel: dict[int, LiveOrder] = {}
        """Those of the misplaced orders that can be cancelled."""
        state.touched.update(state.slots)

    def is_moved_by(self, frame: F) -> bool:
        """Return whether a frame may want other orders than that of the last plan."""
        return self._frame is None or frame != self._frame

    def plan(self, frame: F, permission: Permission, *, moved: bool | None = None) -> Plan:
        """Return what has to be placed and cancelled.

        Args:
            frame: The quoter's frame of the moment.
            permission: The orders that may be placed now.
            moved: What `is_moved_by` says of the frame; None asks it.
        """
        moved, self._frame = self.is_moved_by(frame) if moved is None else moved, frame
        touched, self._state.touched = self._state.touched, set()
        for level in touched:
            self._refresh(level)
        if moved:
            self._move()
        cancels = self._pulled(permission)
        if permission.hold:
            return Plan(cancels=tuple(cancels.values()))
        for orders in (self._state.extra_orders, self._to_cancel):
            for order in orders.values():
                if order.client_order_id in self._cancellable:
                    cancels[order.client_order_id] = order
        places, next_target = self._within_limits(permission)
        if next_target is not None and not self._makes_room(permission):
            reference = self._reference
            for order in self._furthest(abs(next_target.price - reference), reference):
                cancels[order.client_order_id] = order
        return Plan(places=places, cancels=tuple(cancels.values()))

    @property
    def _reference(self) -> Decimal:
        price: Decimal = self._frame.market.reference  # type: ignore[union-attr]  # a frame is a QuoteFrame
        return price

    def _pulled(self, permission: Permission) -> dict[str, LiveOrder]:
        if not (permission.pull_buys or permission.pull_sells or permission.pulled):
            return {}
        by_side = (self._of_side[side].pullable.values() for side in _SIDES if permission.pulls(side))
        by_id = (order for name in permission.pulled if (order := self._state.cancellable.get(name)) is not None)
        return {order.client_order_id: order for order in (*chain(*by_side), *by_id)}

    def _makes_room(self, permission: Permission) -> bool:
        """Return whether orders end already."""
        pulls = any(permission.pulls(side) and self._of_side[side].entries for side in _SIDES)
        return bool(pulls or permission.pulled or self._misplaced or self._cancelling or self._state.extra_orders)

    def _within_limits(self, permission: Permission) -> tuple[tuple[TargetOrder, ...], TargetOrder | None]:
        """Return the nearest target orders that there is room for, and the nearest one that there is no room for."""
        room = self._max_open_orders - len(self._orders) - len(self._state.extra_orders)
        allowed = {SELL: permission.sells, BUY: permission.buys}
        chosen: list[TargetOrder] = []
        for target in self._targets(permission, allowed):
            if not target.closes:
                if allowed[target.side] <= 0:
                    continue
                allowed[target.side] -= 1
            if len(chosen) >= room:
                return tuple(chosen), target
            chosen.append(target)
        return tuple(chosen), None

    def _targets(self, permission: Permission, allowed: dict[Side, int]) -> Iterable[TargetOrder]:
        """Return the orders that are wanted and not live, nearest to the price first."""
        streams: list[Iterator[TargetOrder]] = []
        for side, index in self._of_side.items():
            if index.held.ascending and permission.exits:
                streams.append(self._exits(side, permission))
                if permission.reduced:
                    streams.append(self._reductions(side, permission))
            if index.empty.ascending and allowed[side] > 0:
                streams.append(self._entries(side, permission, allowed))
        if len(streams) < 2:
            return streams[0] if streams else ()
        reference = self._reference
        return heapq.merge(*streams, key=lambda target: (abs(target.price - reference), not target.closes))

    def _reductions(self, side: Side, permission: Permission) -> Iterator[TargetOrder]:
        """Return exits at the touch: at the best price of their side, so that they stay makers."""
        assert self._frame is not None  # noqa: S101 - plan() has set it
        market = self._frame.market  # type: ignore[attr-defined]  # a frame is a QuoteFrame
        for level in permission.reduced:
            if level in self._of_side[side].held and level not in permission.backed_off:
                held = abs(self._slots[level].quantity)
                quantity = held if self._most is None else min(held, self._most)
                price = market.ask if side is SELL else market.bid
                yield TargetOrder(
                    level=level, side=side, price=price, quantity=self._round_quantity(quantity), closes=True
                )

    def _entries(self, side: Side, permission: Permission, allowed: dict[Side, int]) -> Iterator[TargetOrder]:
        for level in self._of_side[side].empty.within(self._windows.of(side).entries):
            target = self._target(level, permission)
            if target is not None and target.side is side and not target.closes:
                yield target
                if allowed[side] <= 0:
                    return

    def _exits(self, side: Side, permission: Permission) -> Iterator[TargetOrder]:
        for level in self._of_side[side].held.within(self._windows.of(side).exits):
            target = self._target(level, permission) if level not in permission.reduced else None
            if target is not None and target.closes:
                yield target

    def _target(self, level: int, permission: Permission) -> TargetOrder | None:
        """Return the order of a level, or None: it wants none, or none that may be placed now."""
        assert self._frame is not None  # noqa: S101 - plan() has set it
        if level in permission.backed_off:
            return None
        held = self._slots.get(level, _EMPTY)
        target = self.quoter.quote(self._frame, level, held, at_touch=level in permission.requoted)
        return self._bounded(target) if target is not None else None

    def _bounded(self, target: TargetOrder) -> TargetOrder | None:
        """Return the order within the limits of the market: an exit moved there, and no entry that is beyond them."""
        market: MarketState = self._frame.market  # type: ignore[union-attr]  # a frame is a QuoteFrame
        buy, price = target.side is BUY, target.price
        if target.taker:
            return target
        if target.closes:
            bound = market.bound(target.side, price)
            return target if bound == price else replace(target, price=self._rules.round_price(bound, up=not buy))
        limit = market.entry_limit(target.side)
        beyond = price > limit if buy else price < limit
        if beyond or (self._price_range is not None and not self._price_range.has(price)):
            return None
        return target

    def _furthest(self, beyond: Decimal, reference: Decimal) -> list[LiveOrder]:
        """Return orders to cancel for a nearer one: the furthest of the larger side, further away than *beyond*."""
        larger = max(self._orders_by_price().values(), key=len)
        low, high = 0, len(larger) - 1
        found: list[LiveOrder] = []
        while low <= high and len(found) < self._cleanup_batch:
            below, above = reference - larger[low][0], larger[high][0] - reference
            distance, (_, level) = (below, larger[low]) if below >= above else (above, larger[high])
            low, high = (low + 1, high) if below >= above else (low, high - 1)
            if distance <= beyond:
                break
            order = self._orders[level]
            if not order.counted and not order.filled:
                found.append(order)
        return [order for order in found if self._can_cancel(order)]

    def _orders_by_price(self) -> dict[Side, SortedList[tuple[Decimal, int]]]:
        if self._by_price is None:
            self._by_price = {side: SortedList() for side in _SIDES}
            for level, order in self._orders.items():
                self._by_price[order.side].add((order.price, level))
        return self._by_price

    def _can_cancel(self, order: LiveOrder) -> bool:
        return order.client_order_id in self._cancellable

    def _move(self) -> None:
        """Follow the quoter's windows: look at the levels that entered or left them, and at the orders out of place."""
        assert self._frame is not None  # noqa: S101 - plan() has set it
        before, self._windows = self._windows, self.quoter.windows(self._frame)
        again = self._misplaced | self._for_now if self._misplaced or self._for_now else ()
        self._follow(self._sell, before.sell, self._windows.sell)
        self._follow(self._buy, before.buy, self._windows.buy)
        for level in again:
            self._judge(level, self._orders[level], self._slots[level])

    def _follow(self, index: _SideIndex, old: SideWindow, new: SideWindow) -> None:
        if old.entries != new.entries:
            self._shift(index, _ascending(new.entries))
        if old.kept != new.kept:
            for level in _left(index.in_window, old.kept, new.kept):
                self._misplace(index, level)

    def _misplace(self, index: _SideIndex, level: int) -> None:
        """Take note that an order has left the window that it stays in."""
        order = self._orders[level]
        index.in_window.discard(level)
        self._misplaced.add(level)
        if self._can_cancel(order):
            self._to_cancel[level] = order

    def _shift(self, index: _SideIndex, after: range) -> None:
        empty, before, index.span = index.empty, index.span, after
        if empty.ascending:
            for level in _left(empty, before, after):
                empty.discard(level)
        for part in _without(after, before):
            for level in part:
                slot = self._slots.get(level)
                if slot is None or self._is_empty(slot):
                    empty.add(level)

    def _is_empty(self, slot: Slot) -> bool:
        return slot.is_free and abs(slot.quantity) < self._least

    def _refresh(self, level: int) -> None:
        """Look at a level whose slot changed."""
        slot = self._slots.get(level, _EMPTY)
        before, order = self._orders.get(level), slot.order
        if before is not None and (order is None or (order.side, order.price) != (before.side, before.price)):
            index = self._of_side[before.side]
            if self._by_price is not None:
                self._by_price[before.side].remove((before.price, level))
            index.in_window.discard(level)
            index.entries.discard(level)
            index.pullable.pop(level, None)
            del self._orders[level]
            before = None
        if before is None:
            for index in self._of_side.values():
                index.empty.discard(level)
                index.held.discard(level)
        if order is not None:
            if before is None and self._by_price is not None:
                self._by_price[order.side].add((order.price, level))
            self._orders[level] = order
            self._judge(level, order, slot)
            return
        self._misplaced.discard(level)
        self._for_now.discard(level)
        self._cancelling.discard(level)
        self._to_cancel.pop(level, None)
        if not self._is_empty(slot):
            (self._sell if slot.quantity > 0 else self._buy).held.add(level)
            return
        for index in self._of_side.values():
            if level in index.span:
                index.empty.add(level)

    def _judge(self, level: int, order: LiveOrder, slot: Slot) -> None:
        """Ask the quoter whether an order stays."""
        assert self._frame is not None  # noqa: S101 - plan() has set it
        keep = self.quoter.keeps(self._frame, order, slot)
        in_window = keep is Keep.IN_WINDOW and level in self._windows.of(order.side).kept
        misplaced = keep is Keep.NO or (keep is Keep.IN_WINDOW and not in_window)
        can_cancel = self._can_cancel(order)
        index = self._of_side[order.side]
        entry = not order.closes
        if entry and self._price_range is not None and not self._price_range.has(order.price):
            misplaced = True
        for levels, there in (
            (index.in_window, in_window),
            (index.entries, entry),
            (self._for_now, keep is Keep.FOR_NOW),
            (self._misplaced, misplaced),
            (self._cancelling, order.client_order_id in self._state.canceling),
        ):
            if there:
                levels.add(level)
            else:
                levels.discard(level)
        if entry and can_cancel:
            index.pullable[level] = order
        else:
            index.pullable.pop(level, None)
        if misplaced and can_cancel:
            self._to_cancel[level] = order
        else:
            self._to_cancel.pop(level, None)


def _left(levels: set[int] | LevelSet, before: range, after: range) -> list[int]:
    """Return those of the levels that were in one ascending range and are not in the other, ascending."""
    found: list[int] = []
    for part in _without(before, after):
        if len(part) <= len(levels):
            found += [level for level in part if level in levels]
        else:
            found += [level for level in sorted(levels) if level in part]
    return found


def _ascending(span: range) -> range:
    return span if span.step > 0 else span[::-1]


def _without(span: range, other: range) -> tuple[range, ...]:
    """Return the parts of an ascending range that another one does not have."""
    start, stop, first, end = span.start, span.stop, other.start, other.stop
    if start >= stop or first >= end or end <= start or first >= stop:
        return (span,)
    if start < first:
        below = range(start, first)
        return (below, range(end, stop)) if end < stop else (below,)
    return (range(end, stop),) if end < stop else ()
