"""The open orders that a grid wants, by the rules of docs/grid.md: written a second time, without the program's code.

What a level holds is the sum of the fills in the ledger that name it, so nothing that the market maker says of itself
counts here but its anchor and its price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from opensqt.market_maker.orders.ids import OrderIds
from tests.service.grid_rig import SYMBOL

OPENS = {"long": ("BUY",), "short": ("SELL",), "neutral": ("BUY", "SELL")}
"""The sides whose orders open a level, by mode."""
_SIGN = {"BUY": 1, "SELL": -1}
_EDGE = Decimal("0.1")
"""Part of an interval that an entry keeps from the price."""
_QUANTITY_STEP = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings of a grid that its orders follow from."""

    mode: str
    anchor: Decimal
    interval: Decimal
    order_quantity: Decimal
    """Quote."""
    windows: Mapping[str, int]
    """Levels on the side of buys and of sells."""

    @classmethod
    def of(cls, status: Mapping[str, Any], trading: Mapping[str, str]) -> Rules:
        """Return the rules of the settings in *trading*, around the anchor in *status*."""
        return cls(
            mode=trading.get("grid_mode", "long"),
            anchor=Decimal(status["anchor"]),
            interval=Decimal(trading["price_interval"]),
            order_quantity=Decimal(trading["order_quantity"]),
            windows={
                "BUY": int(trading.get("buy_window_size", "10")),
                "SELL": int(trading.get("sell_window_size", "10")),
            },
        )

    def price_of(self, level: int) -> Decimal:
        """Return the price of a level."""
        return self.anchor + level * self.interval

    def centre(self, price: Decimal) -> int:
        """Return the level nearest to *price*."""
        return int(((price - self.anchor) / self.interval).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An open order in the ledger whose id names a level."""

    level: int
    side: str
    price: Decimal
    quantity: Decimal
    filled: Decimal
    reduce_only: bool
    time_in_force: str


def held_by_level(fills: Iterable[Mapping[str, Any]], strategy_id: str) -> dict[int, Decimal]:
    """Return what each level holds, base coins, below zero for a short one: the sum of the fills that name it."""
    ids, held = OrderIds(strategy_id, SYMBOL), defaultdict[int, Decimal](Decimal)
    for fill in fills:
        if (name := ids.read(fill["client_order_id"])) is not None:
            held[name.level] += _SIGN[fill["side"]] * Decimal(fill["quantity"])
    return {level: quantity for level, quantity in held.items() if quantity}


def working(orders: Iterable[Mapping[str, Any]], strategy_id: str) -> list[Working]:
    """Return the orders of the grid."""
    ids = OrderIds(strategy_id, SYMBOL)
    return [
        Working(
            level=name.level,
            side=order["side"],
            price=Decimal(order["price"]),
            quantity=Decimal(order["quantity"]),
            filled=Decimal(order["filled_quantity"]),
            reduce_only=order["reduce_only"],
            time_in_force=order["time_in_force"],
        )
        for order in orders
        if (name := ids.read(order["client_order_id"])) is not None
    ]


def unwanted_or_missing(
    rules: Rules, price: Decimal, held: Mapping[int, Decimal], orders: Iterable[Working]
) -> Iterator[str]:
    """Compare the orders with the rules, as sentences.

    A level that holds nothing has an order of a side that the mode opens, if it lies in that side's window. A level
    that holds coins sells them one level higher, one that owes coins buys them back one level lower, in every mode. No
    level has both, and a level is long or short, never both.

    Args:
        rules: Of the grid.
        price: The reference price.
        held: By level, base coins.
        orders: At most one a level; `compare` names levels with two.
    """
    at, found = f"price {price}", {order.level: order for order in orders}
    entries = {level: order for level, order in found.items() if _opens(order, held.get(level, Decimal(0)))}
    for side in OPENS[rules.mode]:
        wanted = set(_entry_levels(rules, price, side, held))
        there = {level for level, order in entries.items() if order.side == side}
        if missing := wanted - there:
            yield f"levels without their entry: {sorted(missing)} {side}, {at}"
        kept = _kept_levels(rules, price, side)
        if spare := there - wanted - kept:
            yield f"entries that nobody wants: {sorted(spare)} {side}, {at}"
    if closed := [level for level, order in entries.items() if order.side not in OPENS[rules.mode]]:
        yield f"exits of levels that hold nothing: {sorted(closed)}, {at}"
    for level, order in entries.items():
        yield from _entry(rules, price, order, held.get(level, Decimal(0)))
    for level, quantity in held.items():
        exit_ = found.get(level)
        if level not in entries:
            yield from _exit(rules, price, level, quantity, exit_)


def _opens(order: Working, held: Decimal) -> bool:
    """Whether an order raises what its level holds."""
    return _SIGN[order.side] * held >= 0


def _entry_levels(rules: Rules, price: Decimal, side: str, held: Mapping[int, Decimal]) -> Iterator[int]:
    """Return the empty levels of a side's window that keep their distance from the price."""
    sign, centre = _SIGN[side], rules.centre(price)
    for number in range(rules.windows[side]):
        level = centre - sign * number
        if sign * (price - rules.price_of(level)) > _EDGE * rules.interval and not held.get(level):
            yield level


def _kept_levels(rules: Rules, price: Decimal, side: str) -> set[int]:
    """Return the levels whose entry may still be there.

    The furthest one is cancelled half an interval late, and one that the price has come near to stays.
    """
    sign, centre = _SIGN[side], rules.centre(price)
    return {centre - sign * number for number in range(-1, rules.windows[side] + 1)}


def _entry(rules: Rules, price: Decimal, order: Working, held: Decimal) -> Iterator[str]:
    level, sign, home = order.level, _SIGN[order.side], rules.price_of(order.level)
    if abs(held) != order.filled:
        yield f"level {level} holds {held} and has an entry for {order.quantity}, filled {order.filled}"
    quantity = (rules.order_quantity / home / _QUANTITY_STEP).to_integral_value(ROUND_FLOOR) * _QUANTITY_STEP
    if order.quantity != quantity:
        yield f"the entry of level {level} is for {order.quantity}, not {quantity}"
    # It lies at its level, or further from the price where the best price was beyond the level.
    behind = max(sign * (home - order.price), Decimal(0))
    if sign * (order.price - home) > 0 or min(behind, sign * (price - order.price)) >= 2 * rules.interval:
        yield f"the entry of level {level} is laid at {order.price}, its level is {home}, price {price}"
    yield from _flags(level, order, reduce_only=False)


def _exit(rules: Rules, price: Decimal, level: int, held: Decimal, order: Working | None) -> Iterator[str]:
    side = "SELL" if held > 0 else "BUY"
    sign, home = _SIGN[side], rules.price_of(level - _SIGN[side])
    offered = sign * (price - rules.price_of(level)) <= rules.windows[side] * rules.interval
    if order is None:
        if offered:
            yield f"level {level} holds {held} and offers nothing, price {price}"
        return
    if order.quantity - order.filled != abs(held):
        yield f"level {level} holds {held} and offers {order.quantity - order.filled}"
    # It never closes at a worse price than one level away from what it paid.
    behind = max(sign * (home - order.price), Decimal(0))
    if sign * (order.price - home) > 0 or min(behind, sign * (price - order.price)) >= 2 * rules.interval:
        yield f"the exit of level {level} is laid at {order.price}, one level away is {home}, price {price}"
    # A neutral grid nets off at the exchange, which would cancel a reduce-only order larger than the position.
    yield from _flags(level, order, reduce_only=rules.mode != "neutral")


def _flags(level: int, order: Working, *, reduce_only: bool) -> Iterator[str]:
    if order.time_in_force != "POST_ONLY":
        yield f"the order of level {level} is {order.time_in_force}, not post-only"
    if order.reduce_only is not reduce_only:
        yield f"the order of level {level} has reduce_only {order.reduce_only}"
