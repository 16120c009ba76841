"""Settings of the demo's grid: an interval that the market will cross and that earns more than its fees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from opensqt.model.market import Candle
from opensqt.model.venue import SymbolRules

CROSSINGS_PER_MINUTE = Decimal(60)
"""Levels that the price should cross in a minute of the watcher's time."""
_RANGE_TO_DEVIATION = Decimal("1.6")
"""The high-low range that a random walk has on average, in standard deviations."""
_LEAST, _MOST = Decimal("1.01"), Decimal(3)
"""The interval stays within this many times the one at which fees eat all of the profit."""
_STEPS_PER_ORDER = 10
_MIN_ORDER_VALUE = Decimal(30)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGrid:
    """Interval and amount of the grid, in quote."""

    interval: Decimal
    order_quantity: Decimal


def plan(
    price: Decimal, candles: Sequence[Candle], rules: SymbolRules, *, fee_rate: Decimal, speed: Decimal
) -> DemoGrid:
    """Choose interval and amount.

    Args:
        price: Current price.
        candles: Past 1-minute bars; without any, the smallest interval that earns is taken.
        rules: The symbol's filters.
        fee_rate: Maker fee as a fraction.
        speed: Market seconds in one real second.
    """
    break_even = 2 * price * fee_rate / (1 - fee_rate)
    wanted = Decimal(0)
    if candles:
        deviation = sum((bar.high - bar.low for bar in candles), Decimal(0)) / len(candles) / _RANGE_TO_DEVIATION
        # A random walk crosses (deviation / interval)^2 levels a minute.
        wanted = deviation * (speed / CROSSINGS_PER_MINUTE).sqrt()
    interval = _two_digits(min(max(wanted, break_even * _LEAST), break_even * _MOST))
    interval = max(rules.round_price(interval, up=True), rules.price_step)
    least = max(rules.min_quantity, _STEPS_PER_ORDER * rules.quantity_step) * price
    return DemoGrid(
        interval=interval,
        order_quantity=_two_digits(max(least, rules.min_notional * 2, _MIN_ORDER_VALUE)),
    )


def market_maker_settings(
    plan: DemoGrid, *, symbol: str, connector: str, database: str, fee_rate: Decimal, exchange: str
) -> dict[str, Any]:
    """Return the content of the settings file for the demo's grid."""
    return {
        "app": {"current_exchange": "remote", "database_url": f"sqlite:///{database}"},
        "exchanges": {"remote": {"base_url": connector}, exchange: {"fee_rate": str(fee_rate)}},
        "trading": {
            "symbol": symbol,
            "price_interval": f"{plan.interval:f}",
            "order_quantity": f"{plan.order_quantity:f}",
            "reconcile_interval": "10",
        },
        "system": {"log_level": "INFO", "cancel_on_exit": True},
    }


def _two_digits(number: Decimal) -> Decimal:
    """Round up to two significant digits: a number that a person would have chosen."""
    if not number:
        return number
    digit = Decimal(1).scaleb(number.adjusted() - 1)
    return (number / digit).quantize(Decimal(1), ROUND_CEILING) * digit
