"""A venue without a market of its own: tests play the outside participants, so every fill is theirs to make."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import NewOrder, SimOrder
from opensqt.simulator.settings import AccountSettings, SimulatorSettings

E = TypeVar("E", bound=Event)
START_MS = 1_700_000_000_000
KEY = "sim-key"


def pytest_configure(config: pytest.Config) -> None:
    """Random request sequences: 40 at test size, ten times as many with --large."""
    examples = 400 if config.getoption("--large") else 40
    settings.register_profile("simulator", max_examples=examples)


class Venue:
    """An engine on a manual clock, and short ways to trade on it. Symbol BTCUSDT, mark 45,000."""

    def __init__(self, **settings: Any) -> None:
        self.settings = SimulatorSettings(**settings)
        self.clock = SimulatorClock(start_ms=START_MS, manual=True)
        self.engine = SimEngine(self.settings, self.clock)
        self.events: list[Event] = []
        self.engine.subscribe(self.events.append)

    def place(self, side: Side, quantity: str, price: str | None = None, **more: Any) -> SimOrder:
        account = more.pop("account", KEY)
        order = NewOrder(
            symbol=more.pop("symbol", "BTCUSDT"),
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price) if price is not None else None,
            order_type=OrderType.LIMIT if price is not None else OrderType.MARKET,
            **more,
        )
        return self.engine.place(account, order)

    def buy(self, quantity: str, price: str | None = None, **more: Any) -> SimOrder:
        return self.place(Side.BUY, quantity, price, **more)

    def sell(self, quantity: str, price: str | None = None, **more: Any) -> SimOrder:
        return self.place(Side.SELL, quantity, price, **more)

    def outside(self, side: Side, quantity: str, price: str) -> str:
        """Somebody else's limit order."""
        order_id = self.engine.quote_outside("BTCUSDT", side, Decimal(price), Decimal(quantity))
        self.engine.publish()
        return order_id

    def now(self, order: SimOrder) -> SimOrder:
        """The order as it now stands."""
        return self.engine.find(order.account, order.symbol, order_id=order.order_id)

    def published(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def quantity(self) -> Decimal:
        """The one-way position in BTCUSDT."""
        return self.engine.positions(KEY, "BTCUSDT")[0].quantity

    def mark(self, price: str) -> None:
        self.engine.set_mark("BTCUSDT", Decimal(price))
        self.engine.publish()


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def open_venue() -> Callable[..., Venue]:
    return Venue


@pytest.fixture
def hedge() -> Venue:
    return Venue(accounts=(AccountSettings(position_mode=PositionMode.HEDGE),))
