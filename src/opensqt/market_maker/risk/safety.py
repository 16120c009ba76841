"""The safety check before the first entry: can the account carry the grid, and does a round trip pay?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from opensqt.market_maker.risk.ladder import AccountInputs, GridRequirements, ladder
from opensqt.market_maker.strategy.grid.geometry import buy_quantity, least_order_quantity
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.account import MarginMode
from opensqt.model.venue import SymbolRules

MAX_LEVERAGE = Decimal(10)
_NO_LEVERAGE = "not reported by the venue, so set it (exchange.leverage of the connector, or SetLeverage)"
USABLE = Decimal("0.8")
"""The part of the available balance that the grid may count on."""


class Guard(StrEnum):
    """What a broken rule prevents."""

    ENTRIES = "ENTRIES"
    """Orders that open or raise a position; what is held can still be sold."""
    ORDERS = "ORDERS"
    """Every order: with the rule broken the venue accepts none at the grid's prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule and its result."""

    name: str
    passed: bool
    detail: str
    """The numbers, and what is expected of them."""
    guards: Guard = Guard.ENTRIES


def broken_rules(rules: list[Rule], guards: Guard) -> list[Rule]:
    """Return the broken rules that prevent what *guards* names."""
    return [rule for rule in rules if not rule.passed and rule.guards is guards]


def check(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> list[Rule]:
    """Return the result of every rule."""
    quantity = buy_quantity(inputs.price, requirements.order_quantity, requirements.min_order_value, rules)
    least = least_order_quantity(inputs.price, requirements.min_order_value, rules)
    found = [
        Rule(
            name="symbol",
            passed=rules.tradable,
            detail=rules.untradable_reason or "trades",
        ),
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
            guards=Guard.ORDERS,
        )
        if not requirements.geometric
        else _geometric_step(inputs, requirements, rules),
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
    found.append(_liquidation(inputs, requirements, rules))
    profit = round_trip(inputs.price, requirements.captured_at(inputs.price), inputs.fee_rate)
    found.append(
        Rule(
            name="round trip",
            passed=profit > 0,
            detail=f"{_short(profit)} {rules.quote_asset} per {rules.base_asset} after fees of {inputs.fee_rate}"
            " on both sides, expected above 0; a wider price_interval earns more",
        )
    )
    return found


def _geometric_step(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> Rule:
    lowest = inputs.price * (1 + requirements.interval) ** -requirements.levels
    narrowest = requirements.interval_at(lowest)
    return Rule(
        name="price_interval_percent",
        passed=narrowest >= 2 * rules.price_step,
        detail=f"{_short(requirements.interval * 100)} % are {_short(narrowest)} at the lowest level, expected at least"
        f" two price steps, {_short(2 * rules.price_step)}",
        guards=Guard.ORDERS,
    )


def _liquidation(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> Rule:
    """Compare the liquidation price at each level with the price of that level.

    Under cross margin it is information: the whole account stands behind the position, and `levels` is the rule.
    """
    isolated = inputs.margin_mode is MarginMode.ISOLATED
    ways = (False, True) if requirements.mode is GridMode.NEUTRAL else (None,)
    found = [ladder(inputs, requirements, rules, upwards=way) for way in ways]
    rows = found[0]
    early = next((row for way in found for row in way if row.distance is not None and row.distance <= 0), None)
    row = early or (rows[-1] if rows else None)
    detail = f"{inputs.margin_mode.value.lower()} margin: "
    if row is None or row.liquidation_price is None:
        detail += "no liquidation price at the lowest level"
    else:
        detail += (
            f"at level {row.level} ({_short(row.price)}) the position of {_short(row.position)} {rules.base_asset}"
            f" is liquidated at {_short(row.liquidation_price)}"
        )
    if isolated:
        detail += ", expected beyond every level; less leverage, a smaller price_interval or fewer levels move it away"
    return Rule(name="liquidation", passed=early is None or not isolated, detail=detail)


def affordable_levels(inputs: AccountInputs, requirements: GridRequirements) -> int:
    """Return the number of levels that the account can carry, those it holds included."""
    if inputs.leverage is None or inputs.available <= 0:
        return inputs.held_levels
    return inputs.held_levels + int(USABLE * inputs.available * inputs.leverage / requirements.order_quantity)


def round_trip(price: Decimal, interval: Decimal, fee_rate: Decimal) -> Decimal:
    """Return the profit per base coin of a buy at *price* and a sell one interval higher, fees on both sides paid."""
    return interval - (2 * price + interval) * fee_rate


def _short(number: Decimal) -> str:
    """Plain digits, eight places at most."""
    text = format(round(number, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
