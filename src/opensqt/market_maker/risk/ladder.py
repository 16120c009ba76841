"""The ladder: the account at each level, when the price has come down to it and every level above has bought."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid, buy_quantity
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderLevel:
    """The account when the price has come down to a level and every level above has bought."""

    level: int
    """1 is the first one under the price; 0 is what is held already."""
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
    """None while the account, or the position's own margin, outlives a price of zero."""

    @property
    def distance(self) -> Decimal | None:
        """Distance of the liquidation price below this level, as a fraction of its price."""
        return None if self.liquidation_price is None else (self.price - self.liquidation_price) / self.price


def ladder(inputs: AccountInputs, requirements: GridRequirements, rules: SymbolRules) -> list[LadderLevel]:
    """Return what is held, and every level from the price down to the last one that the account must carry."""
    grid = Grid(anchor=rules.round_price(inputs.price), interval=requirements.interval)
    position = max(inputs.held, Decimal(0))
    spent = position * inputs.entry_price
    margin = _margin_of_held(inputs)
    # Under cross margin the loss so far is in the equity, so that the position counts from the price of today.
    valued = position * inputs.price
    equity = inputs.available if inputs.equity is None else inputs.equity
    leverage = inputs.leverage or Decimal(1)
    levels = []
    for number in range(max(0, requirements.levels - inputs.held_levels) + 1):
        price = grid.price_of(-number) if number else inputs.price
        if price <= 0:
            break
        if number:
            quantity = buy_quantity(price, requirements.order_quantity, requirements.min_order_value, rules)
            position, spent, valued = position + quantity, spent + quantity * price, valued + quantity * price
            margin += quantity * price / leverage
        if not position:
            continue
        lost = margin - spent if inputs.margin_mode is MarginMode.ISOLATED else equity - valued
        liquidation = -lost / (position * (1 - MAINTENANCE_RATE))
        if not number and inputs.liquidation_price is not None:
            liquidation = inputs.liquidation_price
        levels.append(
            LadderLevel(
                level=number,
                price=price,
                quantity=quantity if number else position,
                position=position,
                average_price=spent / position,
                margin=position * price / leverage,
                loss=position * price - spent,
                liquidation_price=liquidation if liquidation > 0 else None,
            )
        )
    return levels


def _margin_of_held(inputs: AccountInputs) -> Decimal:
    """Return the margin that the held position has of its own under isolated margin, quote.

    The venue's liquidation price says it, whatever was added to the margin by hand.
    """
    held = max(inputs.held, Decimal(0))
    if inputs.liquidation_price is not None:
        return held * (inputs.entry_price - inputs.liquidation_price * (1 - MAINTENANCE_RATE))
    return held * inputs.entry_price / (inputs.leverage or Decimal(1))
