"""Quotes of Guéant, Lehalle and Fernandez-Tapia: a spread from volatility and arrivals of trades, skewed by inventory.

The closed form is the asymptotic one of "Dealing with the inventory risk" (2013). With orders of one lot, an intensity
of fills `A * exp(-k * distance)`, volatility `sigma` and risk aversion `gamma`, and q lots held:

    half spread = ln(1 + gamma / k) / gamma + skew / 2
    skew        = sqrt(sigma^2 * gamma / (2 * k * A) * (1 + gamma / k) ^ (1 + k / gamma))
    bid         = reference - half spread - q * skew
    ask         = reference + half spread - q * skew
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, level_quantity
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import (
    NO_LEVELS,
    Inventory,
    Keep,
    Level,
    MarketState,
    SideWindow,
    TargetOrder,
    Windows,
    WorkingOrder,
)
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class GlftParameters:
    """The parameters of the closed form; `opensqt calibrate` estimates the first three from recorded trades."""

    arrivals: Decimal
    """A: fills of an order at the reference price, per second."""
    decay: Decimal
    """k: how fast they become fewer with the distance, per unit of quote."""
    volatility: Decimal
    """Sigma: standard deviation of the price over one second, quote."""
    risk_aversion: Decimal
    """Gamma, per unit of quote and lot: more of it quotes wider and leans harder against inventory."""
    most_lots: int
    """Lots held at most, long or short."""

    @property
    def skew(self) -> Decimal:
        """Return how far the quotes move for each lot held, quote."""
        ratio = self.risk_aversion / self.decay
        rate = self.volatility**2 * self.risk_aversion / (2 * self.decay * self.arrivals)
        return (rate * (1 + ratio) ** (1 + 1 / ratio)).sqrt()

    @property
    def half_spread(self) -> Decimal:
        """Return the distance of both quotes from the reference without inventory, quote."""
        return (1 + self.risk_aversion / self.decay).ln() / self.risk_aversion + self.skew / 2


@dataclass(frozen=True, slots=True)
class GlftFrame:
    """The levels of both quotes, and what is offered where."""

    market: MarketState = field(compare=False)
    bids: range
    """Levels that may open with a buy, nearest first."""
    asks: range
    closing: tuple[tuple[int, Decimal], ...]
    """Levels whose holding is offered, and the price of that."""


class GlftQuoter:
    """Quotes around a price that leans against the inventory.

    Bid and ask lie on the levels of a grid, whose interval is therefore the smallest move of a quote. What is held is
    closed by the quotes of the other side; a side opens only while nothing of the other side is held.

    Args:
        grid: The levels.
        settings: The amounts, and the quotes of each side (`buy_window`, `sell_window`).
        rules: The venue's steps and minimums.
        parameters: Of the closed form.
    """

    def __init__(self, grid: Grid, settings: GridSettings, rules: SymbolRules, parameters: GlftParameters) -> None:
        self.grid = grid
        self._settings = settings
        self._rules = rules
        self._least = max(rules.min_quantity, rules.quantity_step)
        self._most_lots = parameters.most_lots
        self._skew, self._half_spread = parameters.skew, parameters.half_spread

    def quotes(self, reference: Decimal, lots: Decimal) -> tuple[Decimal, Decimal]:
        """Return bid and ask of the closed form with *lots* held."""
        centre = reference - lots * self._skew
        return centre - self._half_spread, centre + self._half_spread

    def frame(self, market: MarketState, inventory: Inventory) -> GlftFrame:
        """Return the levels of the quotes. Its cost follows the levels held, which `most_lots` bounds."""
        settings, grid = self._settings, self.grid
        lot = level_quantity(market.reference, settings, self._rules)
        lots = inventory.position / lot if lot else Decimal(0)
        bid, ask = self.quotes(market.reference, lots)
        # Nothing is laid on the far side of the reference.
        bid_level = grid.level_below(min(bid, market.reference))
        ask_level = grid.level_above(max(ask, market.reference))
        held = sorted(level for level, slot in inventory.slots.items() if abs(slot.quantity) >= self._least)
        longs = [level for level in held if inventory.slots[level].quantity > 0]
        shorts = [level for level in reversed(held) if inventory.slots[level].quantity < 0]
        room = self._most_lots - len(held)
        bids, asks = min(settings.buy_window, room), min(settings.sell_window, room)
        return GlftFrame(
            market,
            range(bid_level, bid_level - bids, -1) if bids > 0 and not shorts and bid > 0 else NO_LEVELS,
            range(ask_level, ask_level + asks) if asks > 0 and not longs else NO_LEVELS,
            (
                *((level, grid.price_of(ask_level + n)) for n, level in enumerate(longs[: settings.sell_window])),
                *((level, grid.price_of(bid_level - n)) for n, level in enumerate(shorts[: settings.buy_window])),
            ),
        )

    def windows(self, frame: GlftFrame) -> Windows:
        """Return the levels of both quotes and those that are offered."""
        levels = [level for level, _ in frame.closing]
        offered = range(min(levels), max(levels) + 1) if levels else NO_LEVELS
        return Windows(
            buy=SideWindow(entries=frame.bids, exits=offered), sell=SideWindow(entries=frame.asks, exits=offered)
        )

    def quote(self, frame: GlftFrame, level: int, held: Level, *, at_touch: bool) -> TargetOrder | None:
        """Return the order that closes what a level holds, or the one that opens an empty level."""
        rules, market = self._rules, frame.market
        highest = market.bid if at_touch else market.ask - rules.price_step
        lowest = market.ask if at_touch else market.bid + rules.price_step
        size = abs(held.quantity)
        if size >= self._least:
            price = dict(frame.closing).get(level)
            if price is None or price <= 0:
                return None
            size = rules.round_quantity(size if rules.max_quantity is None else min(size, rules.max_quantity))
            if held.quantity > 0:
                return TargetOrder(level=level, side=Side.SELL, price=max(price, lowest), quantity=size, closes=True)
            return TargetOrder(level=level, side=Side.BUY, price=min(price, highest), quantity=size, closes=True)
        price = self.grid.price_of(level)
        size = level_quantity(price, self._settings, rules) if price > 0 else Decimal(0)
        if size > 0 and level in frame.bids:
            return TargetOrder(level=level, side=Side.BUY, price=min(price, highest), quantity=size)
        if size > 0 and level in frame.asks:
            return TargetOrder(level=level, side=Side.SELL, price=max(price, lowest), quantity=size)
        return None

    def keeps(self, frame: GlftFrame, order: WorkingOrder, held: Level) -> Keep:
        """Return whether an order still is one of the quotes, less than an interval off."""
        if order.remaining <= 0:
            return Keep.ALWAYS
        sign = order.side.sign
        offered = -sign * held.quantity
        if order.closes:
            price = dict(frame.closing).get(order.level) if order.remaining <= offered else None
            price = frame.market.bound(order.side, price) if price is not None else None
            near = price is not None and abs(price - order.price) < self.grid.interval_at(price)
            return Keep.FOR_NOW if near else Keep.NO
        entries = frame.bids if sign > 0 else frame.asks
        near = abs(self.grid.price_of(order.level) - order.price) < self.grid.interval_at(order.price)
        return Keep.FOR_NOW if order.level in entries and offered < self._least and near else Keep.NO
