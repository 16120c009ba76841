"""The ladder: the account at each level, when the price has come to it and every level on the way has opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.venue import SymbolRules

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
    held: Decimal = Decimal(0)
    """Base coins of the venue's position."""
    entry_price: Decimal = Decimal(0)
    """Average of the venue's position."""
    equity: Decimal | None = None
    """Margin balance of the account; None takes the available balance for it."""
    margin_mode: MarginMode = MarginMode.CROSS
    liquidation_price: Decimal | None = None
    """Of the position held, as the venue reports it."""


def account_inputs(
    account: Account, position: Position | None, price: Decimal, *, fee_rate: Decimal, held_levels: int
) -> AccountInputs:
    """Return the inputs of an account and the grid's position on it, as the venue reports them."""
    inputs = AccountInputs(
        price=price,
        available=account.available_balance,
        leverage=None,
        fee_rate=fee_rate,
        held_levels=held_levels,
        equity=equity(account),
    )
    if position is None:
        return inputs
    return replace(
        inputs,
        leverage=position.leverage,
        held=position.quantity,
        entry_price=position.entry_price,
        margin_mode=position.margin_mode,
        liquidation_price=position.liquidation_price,
    )


def equity(account: Account) -> Decimal:
    """Return the margin balance over all assets that serve as margin, quote."""
    return account.margin_balance if account.total_margin_balance is None else account.total_margin_balance


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRequirements:
    """The settings that the rules need."""

    interval: Decimal
    order_quantity: Decimal
    """Quote per level."""
    min_order_value: Decimal
    levels: int
    """Levels that the account must be able to carry."""
    mode: GridMode = GridMode.LONG
    geometric: bool = False
    """Whether the interval is a fraction of the price."""
    spread: Decimal | None = None
    """What a round trip captures where that is not the interval, quote."""

    def captured_at(self, price: Decimal) -> Decimal:
        """Return what a round trip at *price* captures before fees, quote."""
        return self.interval_at(price) if self.spread is None else self.spread

    def interval_at(self, price: Decimal) -> Decimal:
        """Return the distance of two levels at *price*, quote."""
        return self.interval * price if self.geometric else self.interval


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderLevel:
    """The account when the price has come to a level and every level on the way has opened."""

    level: int
    """1 is the first one from the price; 0 is what is held already."""
    price: Decimal
    quantity: Decimal
    """Base coins opened here."""
    position: Decimal
    """Base coins in all, of whichever side."""
    average_price: Decimal
    margin: Decimal
    """Initial margin of the position."""
    loss: Decimal
    """Open loss at this price."""
    liquidation_price: Decimal | None
    """None while the account, or the position's own margin, outlives a price of zero."""
    short: bool = False

    @property
    def distance(self) -> Decimal | None:
        """Distance of the liquidation price from this level, a fraction of its price; below zero when it is passed."""
        if self.liquidation_price is None:
            return None
        away = self.price - self.liquidation_price
        return (-away if self.short else away) / self.price


def ladder(
    inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules, *, upwards: bool | None = None
) -> list[LadderLevel]:
    """Return what is held, and every level from the price on to the last one that the account must carry.

    Args:
        inputs: Account and market.
        requirements: The settings of the grid.
        rules: The venue's steps and minimums.
        upwards: Whether the price rises against a short position; by the mode when None, down for a neutral grid.
    """
    short = requirements.mode is GridMode.SHORT if upwards is None else upwards
    sign = -1 if short else 1
    grid = Grid(
        anchor=rules.round_price(inputs.price),
        interval=requirements.interval,
        geometric=requirements.geometric,
        price_step=rules.price_step,
    )
    position = max(sign * inputs.held, Decimal(0))
    spent = position * inputs.entry_price
    margin = _margin_of_held(inputs, sign)
    # Under cross margin the loss so far is in the equity, so that the position counts from the price of today.
    valued = position * inputs.price
    equity = inputs.available if inputs.equity is None else inputs.equity
    leverage = inputs.leverage or Decimal(1)
    levels = []
    for number in range(max(0, requirements.levels - inputs.held_levels) + 1):
        price = grid.price_of(-sign * number) if number else inputs.price
        if price <= 0:
            break
        if number:
            quantity = buy_quantity(price, requirements.order_quantity, requirements.min_order_value, rules)
            position, spent, valued = position + quantity, spent + quantity * price, valued + quantity * price
            margin += quantity * price / leverage
        if not position:
            continue
        behind, worth = (margin, spent) if inputs.margin_mode is MarginMode.ISOLATED else (equity, valued)
        liquidation = (worth - sign * behind) / (position * (1 - sign * MAINTENANCE_RATE))
        if not number and inputs.liquidation_price is not None and sign * inputs.held > 0:
            liquidation = inputs.liquidation_price
        levels.append(
            LadderLevel(
                level=number,
                price=price,
                quantity=quantity if number else position,
                position=position,
                average_price=spent / position,
                margin=position * price / leverage,
                loss=sign * (position * price - spent),
                liquidation_price=liquidation if liquidation > 0 else None,
                short=short,
            )
        )
    return levels


def _margin_of_held(inputs: AccountInputs, sign: int) -> Decimal:
    """Return the margin that the held position has of its own under isolated margin, quote.

    The venue's liquidation price says it, whatever was added to the margin by hand.
    """
    held = max(sign * inputs.held, Decimal(0))
    if held and inputs.liquidation_price is not None:
        return held * sign * (inputs.entry_price - inputs.liquidation_price * (1 - sign * MAINTENANCE_RATE))
    return held * inputs.entry_price / (inputs.leverage or Decimal(1))
