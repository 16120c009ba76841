"""What a behaviour of the contract is tried on: an exchange, and a hand on the market around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from opensqt.model import client_order_id
from opensqt.model.account import Position
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, OrderType, Side
from opensqt.model.stream import Batch, Stream
from opensqt.model.venue import ExchangeInfo, SymbolRules
from tests.support import eventually
from tests.support.wait import WITHIN_S

T = TypeVar("T")
SYMBOL = "BTCUSDT"
OTHER_SYMBOL = "ETHUSDT"
LOT = Decimal("0.010")
"""Base coins: over every minimum, small beside what the touch holds."""


class Market(Protocol):
    """The world outside the account. It stands still unless it is told to move."""

    async def hit(self, order: Order, quantity: Decimal) -> None:
        """Let somebody trade so much with our resting order, which is first in its queue."""
        ...

    async def tick(self) -> None:
        """Let the best prices or what stands there change a little."""
        ...

    async def next_minute(self) -> None:
        """Let time go on into the next minute, with some trading in it."""
        ...


@dataclass(frozen=True)
class Bench:
    """One started exchange, and short ways to say what a test wants of it."""

    exchange: Exchange
    market: Market
    info: ExchangeInfo
    idempotent: bool
    """Whether an order sent again with the same id and content is answered rather than refused."""

    @property
    def rules(self) -> SymbolRules:
        rules = self.info.rules(SYMBOL)
        assert rules is not None
        return rules

    def order(self, side: Side, price: Decimal | None, quantity: Decimal = LOT, **more: Any) -> OrderRequest:
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
        """A price that rests, before everybody else."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return price.bid + self.rules.price_step if side is Side.BUY else price.ask - self.rules.price_step

    async def far(self, side: Side) -> Decimal:
        """A price that rests, far from the market."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return self.rules.round_price(price.bid * Decimal("0.98" if side is Side.BUY else "1.02"))

    async def crossing(self, side: Side) -> Decimal:
        """The price that a taker of this side meets."""
        price = await self.exchange.get_latest_price(SYMBOL)
        return price.ask if side is Side.BUY else price.bid

    async def resting(self, side: Side = Side.BUY, quantity: Decimal = LOT, **more: Any) -> Order:
        """Place an order that rests far away."""
        return await self.exchange.place_order(self.order(side, await self.far(side), quantity, **more))

    async def resting_first(self, side: Side = Side.BUY, quantity: Decimal = LOT) -> Order:
        """Place an order that is the next to be hit."""
        return await self.exchange.place_order(self.order(side, await self.front(side), quantity))

    async def take(self, side: Side, quantity: Decimal = LOT, **more: Any) -> Order:
        """Trade at the market and answer the order when the venue calls it filled."""
        order = await self.exchange.place_order(self.order(side, None, quantity, **more))
        return await self.becomes(ref(order), OrderStatus.FILLED)

    async def becomes(self, named: OrderRef, *statuses: OrderStatus) -> Order:
        """Answer the order as soon as it has one of these statuses."""

        async def reached() -> Order | None:
            order = await self.exchange.get_order(named)
            return order if order.status in statuses else None

        return await eventually(reached, what=f"{named} {'/'.join(statuses)}")

    async def position(self) -> Position:
        """The one-way position."""
        (position,) = await self.exchange.get_positions(SYMBOL)
        return position

    async def holds(self, quantity: Decimal) -> Position:
        """Answer the position as soon as it is so large."""

        async def reached() -> Position | None:
            position = await self.position()
            return position if position.quantity == quantity else None

        return await eventually(reached, what=f"position {quantity}")


def ref(order: Order | OrderRequest) -> OrderRef:
    """Name an order by our id."""
    return OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)


def venue_ref(order: Order) -> OrderRef:
    """Name an order by the venue's id."""
    return OrderRef(symbol=order.symbol, order_id=order.order_id)


async def first(stream: Stream[T], *, within_s: float = WITHIN_S) -> Batch[T]:
    """Answer the next batch."""
    async with asyncio.timeout(within_s):
        return await anext(stream)


async def read_until(stream: Stream[T], enough: Callable[[T], bool], *, within_s: float = WITHIN_S) -> list[T]:
    """Read updates up to and with the first that is enough."""
    seen: list[T] = []
    async with asyncio.timeout(within_s):
        async for batch in stream:
            for update in batch.updates:
                seen.append(update)
                if enough(update):
                    return seen
    raise AssertionError(f"the stream ended; seen: {seen}")
