"""Numbers in the venues' format: text, without exponent, with as many decimals as the step."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from opensqt.simulator.settings import SymbolSettings

ZERO = Decimal(0)
_EIGHT = Decimal("1e-8")


def exact(value: Decimal) -> str:
    """Write a number without exponent, with its digits unchanged."""
    return format(value, "f")


def rounded(value: Decimal) -> str:
    """Write a quotient (an average, a ratio) with eight decimals."""
    return format(value.quantize(_EIGHT, ROUND_HALF_EVEN), "f")


def decimals(step: Decimal) -> int:
    """Return the number of decimals of a step."""
    return max(0, -int(step.as_tuple().exponent))


def price(value: Decimal | None, rules: SymbolSettings) -> str:
    """Write a price with as many decimals as its step has."""
    return format(value or ZERO, f".{decimals(rules.price_step)}f")


def quantity(value: Decimal, rules: SymbolSettings) -> str:
    """Write a quantity with as many decimals as its step has."""
    return format(value, f".{decimals(rules.quantity_step)}f")
