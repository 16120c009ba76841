"""The parts that bind the contract suite to an implementation: its subject, the market around it, the test bench."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from opensqt.model import client_order_id
from opensqt.model.account import Position, PositionMode
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, OrderType, Side
from opensqt.model.stream import Batch, Stream
from opensqt.model.venue import ExchangeInfo, SymbolRules
from opensqt.testing.contract.wait import WITHIN_S, eventually

T = TypeVar("T")
SYMBOL = "BTCUSDT"
"""The symbol that the suite trades."""
OTHER_SYMBOL = "ETHUSDT"
"""A symbol that trades too."""
LOT = Decimal("0.010")
"""Base coins of an order: above every minimum, and less than the quantity at the best bid or ask."""
START_BALANCE = Decimal(10_000)
"""USDT in the account at the start."""


class MarketControl(Protocol):
    """The market around the account. Nothing moves unless a test calls one of these methods."""

    async def hit(self, order: Order, quantity: Decimal) -> None:
        """Fill *quantity* of a resting order of the account, which is first in its queue, by another participant."""
        ...

    async def tick(self) -> None:
        """Change the best prices or their quantities a little."""
        ...

    async def next_minute(self) -> None:
        """Advance time into the next minute, with a trade or a price change in it."""
        ...

    async def stop_trading(self) -> None:
        """Put `SYMBOL` into a state of the venue in which only orders that close a position are accepted.

        The exchange must know within seconds: make it load the symbol rules often.
        """
        ...

    async def pay_funding(self, rate: Decimal) -> None:
        """Pay funding on the account's positions of `SYMBOL`; called only where `Capabilities.funding_payments` is."""
        ...


Opened = tuple[Exchange, MarketControl]
Open = Callable[[PositionMode], AbstractAsyncContextManager[Opened]]


@dataclass(frozen=True)
class Subject:
    """One implementation of the Exchange protocol, for the suite to run on.

    Attributes:
        name: Name in the table and in the reasons of skipped tests.
        open: Opens a new account in a position mode: an exchange that is not started, and the market around it.
        idempotent: Whether an order that is sent again with the same id and content is returned rather than refused.
    """

    name: str
    open: Open
    idempotent: bool


@dataclass(frozen=True)
class Bench:
    """One started exchange of a subject, with helpers for the tests."""

    exchange: Exchange
    market: MarketControl
    info: ExchangeInfo
    idempotent: bool
    """See `Subject`."""

    @property
    def rules(self) -> SymbolRules:
        """The rules of `SYMBOL`."""
        rules = self.info.rules(SYMBOL)
        assert rules is not None
        return rules

    def order(self, side: Side, price: Decimal | None, quantity: Decimal = LOT, **more: Any) -> OrderRequest:
        """Make a request with a new id: a LIMIT order, or a MARKET order without a price."""
        fields: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": side,
            "quantity": quantity,
            "price": price,
            "order_type": OrderType.MARKET if price is None else OrderType.LIMIT,
            "client_order_id": client_order_id.new("ct"),
        }
        return OrderRequest(**(fields | more))

    async def front(self, side: Side) -> Decimal:
        """Return a price that rests first in the queue."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return price.bid + self.rules.price_step if side is Side.BUY else price.ask - self.rules.price_step

    async def far(self, side: Side) -> Decimal:
        """Return a price that rests, far from the market."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return self.rules.round_price(price.bid * Decimal("0.98" if side is Side.BUY else "1.02"))

    async def crossing(self, side: Side) -> Decimal:
        """Return the price that a taker of this side gets."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return price.ask if side is Side.BUY else price.bid

    async def resting(self, side: Side = Side.BUY, quantity: Decimal = LOT, **more: Any) -> Order:
        """Place an order that rests far away."""
        return await self.exchange.place_order(self.order(side, await self.far(side), quantity, **more))

    async def resting_first(self, side: Side = Side.BUY, quantity: Decimal = LOT) -> Order:
        """Place an order that is first in its queue."""
        return await self.exchange.place_order(self.order(side, await self.front(side), quantity))

    async def take(self, side: Side, quantity: Decimal = LOT, **more: Any) -> Order:
        """Trade at the market and return the order once it is filled."""
        order = await self.exchange.place_order(self.order(side, None, quantity, **more))
        return await self.becomes(ref(order), OrderStatus.FILLED)

    async def becomes(self, named: OrderRef, *statuses: OrderStatus) -> Order:
        """Return the order as soon as it has one of these statuses."""

        async def reached() -> Order | None:
            order = await self.exchange.get_order(named)
            return order if order.status in statuses else None

        return await eventually(reached, what=f"{named} {'/'.join(statuses)}")

    async def position(self) -> Position:
        """Return the one-way position of `SYMBOL`."""
        (position,) = await self.exchange.get_positions(SYMBOL)
        return position

    async def holds(self, quantity: Decimal) -> Position:
        """Return the position as soon as it has this quantity."""

        async def reached() -> Position | None:
            position = await self.position()
            return position if position.quantity == quantity else None

        return await eventually(reached, what=f"position {quantity}")


def ref(order: Order | OrderRequest) -> OrderRef:
    """Refer to an order by its client id."""
    return OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)


def venue_ref(order: Order) -> OrderRef:
    """Refer to an order by the venue's id."""
    return OrderRef(symbol=order.symbol, order_id=order.order_id)


async def first(stream: Stream[T], *, within_s: float = WITHIN_S) -> Batch[T]:
    """Return the next batch."""
    async with asyncio.timeout(within_s):
        return await anext(stream)


async def read_until(stream: Stream[T], enough: Callable[[T], bool], *, within_s: float = WITHIN_S) -> list[T]:
    """Return updates up to and with the first for which *enough* is true."""
    seen: list[T] = []
    async with asyncio.timeout(within_s):
        async for batch in stream:
            for update in batch.updates:
                seen.append(update)
                if enough(update):
                    return seen
    raise AssertionError(f"the stream ended; seen: {seen}")
