"""The safety check before the first order: can the account carry the grid, and does a round trip pay?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity, least_order_quantity
from opensqt.model.venue import SymbolRules

MAX_LEVERAGE = Decimal(10)
USABLE = Decimal("0.8")
"""The part of the available balance that the grid may count on."""
MAINTENANCE_RATE = Decimal("0.005")
"""Assumed for the liquidation price: 0.5 % of the position, what the venues ask of small positions at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the account and the market are at this moment. Quote, unless said otherwise."""

    price: Decimal
    available: Decimal
    leverage: Decimal | None
    """None when the venue does not tell it."""
    fee_rate: Decimal
    """Maker, a fraction."""
    held_levels: int
    """Levels that hold something from an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What the settings ask for."""

    interval: Decimal
    order_quantity: Decimal
    """Quote per level."""
    min_order_value: Decimal
    levels: int
    """That the account must be able to carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, whether it holds, and the figures."""

    name: str
    holds: bool
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What the account looks like when the price has come down to a level and everything above is bought."""

    level: int
    """1 is the first one under the price."""
    price: Decimal
    quantity: Decimal
    """Base coins bought here."""
    position: Decimal
    """Base coins in all."""
    average_price: Decimal
    margin: Decimal
    """Initial margin of the position."""
    loss: Decimal
    """Open loss at this price."""
    liquidation_price: Decimal | None
    """None while the account outlives a price of zero."""

    @property
    def distance(self) -> Decimal | None:
        """How far the liquidation is below this level, as a fraction of its price."""
        return None if self.liquidation_price is None else (self.price - self.liquidation_price) / self.price


def check(facts: Facts, demands: Demands, rules: SymbolRules) -> list[Rule]:
    """Answer every rule, held or broken."""
    quantity = buy_quantity(facts.price, demands.order_quantity, demands.min_order_value, rules)
    least = least_order_quantity(facts.price, demands.min_order_value, rules)
    found = [
        Rule(
            name="available balance",
            holds=facts.available > 0,
            told=f"{_short(facts.available)} {rules.quote_asset}, expected above 0",
        ),
        Rule(
            name="leverage",
            holds=facts.leverage is not None and 0 < facts.leverage <= MAX_LEVERAGE,
            told=f"{'not told by the venue' if facts.leverage is None else _short(facts.leverage)},"
            f" expected at most {MAX_LEVERAGE}",
        ),
        Rule(
            name="price_interval",
            holds=demands.interval % rules.price_step == 0,
            told=f"{_short(demands.interval)}, expected a multiple of the price step {_short(rules.price_step)}",
        ),
        Rule(
            name="order_quantity",
            holds=quantity > 0,
            told=f"{_short(demands.order_quantity)} buys {_short(quantity)} {rules.base_asset} at"
            f" {_short(facts.price)}, expected at least {_short(least)} {rules.quote_asset}",
        ),
    ]
    levels = carried(facts, demands)
    found.append(
        Rule(
            name="levels",
            holds=levels >= demands.levels,
            told=f"the account carries {levels} levels of {_short(demands.order_quantity)} {rules.quote_asset}"
            f" ({facts.held_levels} held, the rest {USABLE} x {_short(facts.available)} x leverage /"
            f" order_quantity), expected at least {demands.levels} (position_safety_check)",
        )
    )
    profit = round_trip(facts.price, demands.interval, facts.fee_rate)
    found.append(
        Rule(
            name="round trip",
            holds=profit > 0,
            told=f"{_short(profit)} {rules.quote_asset} per {rules.base_asset} after fees of {facts.fee_rate}"
            " on both sides, expected above 0; a wider price_interval earns more",
        )
    )
    return found


def carried(facts: Facts, demands: Demands) -> int:
    """Answer how many levels the account can carry, those it holds included."""
    if facts.leverage is None or facts.available <= 0:
        return facts.held_levels
    return facts.held_levels + int(USABLE * facts.available * facts.leverage / demands.order_quantity)


def round_trip(price: Decimal, interval: Decimal, fee_rate: Decimal) -> Decimal:
    """Answer what buying at *price* and selling one interval higher leaves per base coin, fees on both sides paid."""
    return interval - (2 * price + interval) * fee_rate


def ladder(facts: Facts, demands: Demands, rules: SymbolRules) -> list[Rung]:
    """Answer every level from the price down to the last one that the account must carry."""
    grid = Grid(anchor=rules.round_price(facts.price), interval=demands.interval)
    position = spent = Decimal(0)
    rungs = []
    for number in range(1, demands.levels + 1):
        price = grid.price_of(-number)
        if price <= 0:
            break
        quantity = buy_quantity(price, demands.order_quantity, demands.min_order_value, rules)
        position, spent = position + quantity, spent + quantity * price
        if not position:
            continue
        liquidation = (spent - facts.available) / (position * (1 - MAINTENANCE_RATE))
        rungs.append(
            Rung(
                level=number,
                price=price,
                quantity=quantity,
                position=position,
                average_price=spent / position,
                margin=position * price / (facts.leverage or Decimal(1)),
                loss=position * price - spent,
                liquidation_price=liquidation if liquidation > 0 else None,
            )
        )
    return rungs


def _short(number: Decimal) -> str:
    """Plain digits, eight places at most."""
    text = format(round(number, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
