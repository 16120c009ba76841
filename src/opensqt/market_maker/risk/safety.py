"""The safety check before the first order: can the account carry the grid, and does a round trip pay?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity, least_order_quantity
from opensqt.model.venue import SymbolRules

MAX_LEVERAGE = Decimal(10)
_NO_LEVERAGE = "not reported by the venue, so set it (exchange.leverage of the connector, or SetLeverage)"
USABLE = Decimal("0.8")
"""The part of the available balance that the grid may count on."""
MAINTENANCE_RATE = Decimal("0.005")
"""Assumed for the liquidation price: 0.5 % of the position, the most that the venues require of small positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInputs:
    """State of account and market that the rules need. Quote, unless said otherwise."""

    price: Decimal
    available: Decimal
    leverage: Decimal | None
    """None when the venue does not report it."""
    fee_rate: Decimal
    """Maker, a fraction."""
    held_levels: int
    """Levels that hold coins from an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRequirements:
    """The settings that the rules need."""

    interval: Decimal
    order_quantity: Decimal
    """Quote per level."""
    min_order_value: Decimal
    levels: int
    """Levels that the account must be able to carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule and its result."""

    name: str
    passed: bool
    detail: str
    """The numbers, and what is expected of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderLevel:
    """The account when the price has come down to a level and every level above has bought."""

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
        """Distance of the liquidation price below this level, as a fraction of its price."""
        return None if self.liquidation_price is None else (self.price - self.liquidation_price) / self.price


def check(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> list[Rule]:
    """Return the result of every rule."""
    quantity = buy_quantity(inputs.price, requirements.order_quantity, requirements.min_order_value, rules)
    least = least_order_quantity(inputs.price, requirements.min_order_value, rules)
    found = [
        Rule(
            name="available balance",
            passed=inputs.available > 0,
            detail=f"{_short(inputs.available)} {rules.quote_asset}, expected above 0",
        ),
        Rule(
            name="leverage",
            passed=inputs.leverage is not None and 0 < inputs.leverage <= MAX_LEVERAGE,
            detail=f"{_NO_LEVERAGE if inputs.leverage is None else _short(inputs.leverage)},"
            f" expected at most {MAX_LEVERAGE}",
        ),
        Rule(
            name="price_interval",
            passed=requirements.interval % rules.price_step == 0,
            detail=f"{_short(requirements.interval)}, expected a multiple of the price step {_short(rules.price_step)}",
        ),
        Rule(
            name="order_quantity",
            passed=quantity > 0,
            detail=f"{_short(requirements.order_quantity)} buys {_short(quantity)} {rules.base_asset} at"
            f" {_short(inputs.price)}, expected at least {_short(least)} {rules.quote_asset}",
        ),
    ]
    levels = affordable_levels(inputs, requirements)
    found.append(
        Rule(
            name="levels",
            passed=levels >= requirements.levels,
            detail=f"the account carries {levels} levels of {_short(requirements.order_quantity)} {rules.quote_asset}"
            f" ({inputs.held_levels} held, the rest {USABLE} x {_short(inputs.available)} x leverage /"
            f" order_quantity), expected at least {requirements.levels} (position_safety_check)",
        )
    )
    profit = round_trip(inputs.price, requirements.interval, inputs.fee_rate)
    found.append(
        Rule(
            name="round trip",
            passed=profit > 0,
            detail=f"{_short(profit)} {rules.quote_asset} per {rules.base_asset} after fees of {inputs.fee_rate}"
            " on both sides, expected above 0; a wider price_interval earns more",
        )
    )
    return found


def affordable_levels(inputs: AccountInputs, requirements: GridRequirements) -> int:
    """Return the number of levels that the account can carry, those it holds included."""
    if inputs.leverage is None or inputs.available <= 0:
        return inputs.held_levels
    return inputs.held_levels + int(USABLE * inputs.available * inputs.leverage / requirements.order_quantity)


def round_trip(price: Decimal, interval: Decimal, fee_rate: Decimal) -> Decimal:
    """Return the profit per base coin of a buy at *price* and a sell one interval higher, fees on both sides paid."""
    return interval - (2 * price + interval) * fee_rate


def ladder(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> list[LadderLevel]:
    """Return every level from the price down to the last one that the account must carry."""
    grid = Grid(anchor=rules.round_price(inputs.price), interval=requirements.interval)
    position = spent = Decimal(0)
    levels = []
    for number in range(1, requirements.levels + 1):
        price = grid.price_of(-number)
        if price <= 0:
            break
        quantity = buy_quantity(price, requirements.order_quantity, requirements.min_order_value, rules)
        position, spent = position + quantity, spent + quantity * price
        if not position:
            continue
        liquidation = (spent - inputs.available) / (position * (1 - MAINTENANCE_RATE))
        levels.append(
            LadderLevel(
                level=number,
                price=price,
                quantity=quantity,
                position=position,
                average_price=spent / position,
                margin=position * price / (inputs.leverage or Decimal(1)),
                loss=position * price - spent,
                liquidation_price=liquidation if liquidation > 0 else None,
            )
        )
    return levels


def _short(number: Decimal) -> str:
    """Plain digits, eight places at most."""
    text = format(round(number, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
