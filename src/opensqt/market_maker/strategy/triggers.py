"""Triggers of the whole grid: by price when it starts and stops, by its profit when it takes it or cuts the loss."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Closing(StrEnum):
    """What happens to what is held when a stop, the take-profit or the stop-loss has triggered."""

    KEEP = "keep"
    """It is offered where it was."""
    MAKER = "maker"
    """It is offered at the touch, post-only, and follows the market."""
    TAKER = "taker"
    """It is closed at once, as a taker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSettings:
    """Triggers; None is not set. Quote."""

    start_price: Decimal | None = None
    """Nothing is placed until the price has crossed it."""
    stop_below: Decimal | None = None
    stop_above: Decimal | None = None
    take_profit: Decimal | None = None
    """Realized and open profit of the grid, after fees and funding."""
    stop_loss: Decimal | None = None
    """The same as a loss, above zero."""
    closing: Closing = Closing.KEEP

    def named(self) -> tuple[str, ...]:
        """Return each stop that is set by its name and value: what a stored stop begins with."""
        names = ("stop_below", "stop_above", "take_profit", "stop_loss")
        return tuple(f"{name} {getattr(self, name):f}" for name in names if getattr(self, name) is not None)

    def stop_reason(self, price: Decimal, profit: Decimal | None) -> str:
        """Return which trigger stops the grid, as a sentence; empty for none.

        Args:
            price: The reference price.
            profit: Of the whole grid; None when it is not known.
        """
        if self.stop_below is not None and price <= self.stop_below:
            return f"stop_below {self.stop_below:f}: the price is {price:f}"
        if self.stop_above is not None and price >= self.stop_above:
            return f"stop_above {self.stop_above:f}: the price is {price:f}"
        if profit is None:
            return ""
        if self.take_profit is not None and profit >= self.take_profit:
            return f"take_profit {self.take_profit:f}: the grid has made {profit:.2f}"
        if self.stop_loss is not None and profit <= -self.stop_loss:
            return f"stop_loss {self.stop_loss:f}: the grid has lost {-profit:.2f}"
        return ""


class StartTrigger:
    """Whether a grid that has not traded yet waits for its start price.

    Args:
        price: That price; None starts at once.
        started: Whether the grid has placed an order before.
    """

    def __init__(self, price: Decimal | None, *, started: bool) -> None:
        self._price = price
        self._from_below: bool | None = None
        self.waiting = price is not None and not started

    def advance(self, price: Decimal) -> bool:
        """Take in a price, and return whether the wait is over with it."""
        if not self.waiting or self._price is None:
            return False
        if self._from_below is None:
            self._from_below = price < self._price
        crossed = price >= self._price if self._from_below else price <= self._price
        self.waiting = not crossed
        return crossed
