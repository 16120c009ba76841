"""The clients that trade: one order at a time, in batches, and in bursts as large as the gateway lets pass."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from decimal import Decimal
from typing import Any

from opensqt.model import client_order_id
from opensqt.model.errors import (
    BackOff,
    ClockSkew,
    ExchangeError,
    LeaseExpired,
    OrderDenied,
    TradingHalted,
    Unreachable,
)
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from tests.chaos.marathon.clients import Client

_VALUE = Decimal(150)
"""Quote that an order is worth, about."""
_NOT_SENT = (Unreachable, BackOff, ClockSkew, OrderDenied, LeaseExpired, TradingHalted)
"""By their definition nothing happened at the venue."""
_REST_S = 0.5
_LEASE_S = 2.0


class Trader(Client):
    """Places and cancels, and leaves nothing in doubt."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.settled = False
        self._rules: dict[str, SymbolRules] = {}
        self._placing: set[str] = set()

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from super().duties()
        yield self._resolve_doubts()
        yield self._trade()

    async def turn(self) -> None:
        """Do what this trader does, once."""
        raise NotImplementedError

    async def place(self, request: OrderRequest) -> None:
        self.book.intend(request)
        await self._place(request, first=True)

    async def place_batch(self, requests: Sequence[OrderRequest]) -> None:
        for request in requests:
            self.book.intend(request)
        ids = {request.client_order_id for request in requests}
        self._placing |= ids
        try:
            answers = await self.call("batch_place_orders", self.exchange.batch_place_orders(requests))
        finally:
            self._placing -= ids
        for request, answer in zip(requests, answers, strict=True):
            self._take_in(request, answer, first=True)

    async def cancel(self, ref: OrderRef) -> None:
        self.book.orders[ref.client_order_id].cancel_asked = True
        try:
            order = await self.call("cancel_order", self.exchange.cancel_order(ref))
        except ExchangeError as error:
            self._cancel_failed(ref, error)
            return
        self.book.learn(order, "cancel")

    async def cancel_batch(self, refs: Sequence[OrderRef]) -> None:
        for ref in refs:
            self.book.orders[ref.client_order_id].cancel_asked = True
        answers = await self.call("batch_cancel_orders", self.exchange.batch_cancel_orders(refs))
        for ref, answer in zip(refs, answers, strict=True):
            if isinstance(answer, Order):
                self.book.learn(answer, "batch cancel")
            else:
                self._cancel_failed(ref, answer)

    async def order(self, symbol: str, *, away: Decimal, **more: Any) -> OrderRequest:
        """Make an order on the side that brings its own position back, so far from the market as a share of it."""
        price = await self.call("get_latest_price", self.exchange.get_latest_price(symbol))
        rules = self._rules[symbol]
        side = self._side(symbol)
        quantity = max(rules.round_quantity(_VALUE / price.bid), rules.min_quantity)
        limit = price.bid * (1 - away) if side is Side.BUY else price.ask * (1 + away)
        fields: dict[str, Any] = {"symbol": symbol, "side": side, "quantity": quantity}
        fields["price"] = None if more.get("order_type") is OrderType.MARKET else rules.round_price(limit)
        return OrderRequest(**(fields | {"client_order_id": client_order_id.new(self.name)} | more))

    def _side(self, symbol: str) -> Side:
        against = Side.SELL if self.book.held[symbol] > 0 else Side.BUY
        return against if self.draw.random() < 0.7 else against.opposite

    async def _trade(self) -> None:
        info = await self._info()
        self._rules = {rules.symbol: rules for rules in info.symbols}
        while self.busy:
            try:
                await self.turn()
            except ExchangeError:
                # The book has it; a trader that can't do one thing goes on with the next.
                await asyncio.sleep(_REST_S)
        while not self.settled:
            try:
                await self._settle()
            except ExchangeError:
                await asyncio.sleep(_REST_S)

    async def _info(self) -> Any:
        while True:
            try:
                return await self.call("get_exchange_info", self.exchange.get_exchange_info())
            except ExchangeError:
                await asyncio.sleep(_REST_S)

    async def _settle(self) -> None:
        """Cancel all that is its own, and then leave one order open."""
        if self.book.in_doubt():
            await asyncio.sleep(_REST_S)
        elif refs := self.book.own_open():
            await self.cancel(refs[0])
            await asyncio.sleep(0.05)
        elif not self.book.own_open(wanted=True):
            request = await self.order(self.book.symbols[0], away=Decimal("0.03"))
            self.book.intend(request).wanted = True
            await self._place(request, first=False)
        else:
            self.settled = True

    async def _resolve_doubts(self) -> None:
        """Ask again with the same id until it is known what became of each order."""
        while True:
            await asyncio.sleep(_REST_S)
            for request in self.book.in_doubt():
                if request.client_order_id not in self._placing:
                    await self._place(request, first=False)

    async def _place(self, request: OrderRequest, *, first: bool) -> None:
        self._placing.add(request.client_order_id)
        try:
            answer: Order | ExchangeError = await self.call("place_order", self.exchange.place_order(request))
        except ExchangeError as error:
            answer = error
        finally:
            self._placing.discard(request.client_order_id)
        self._take_in(request, answer, first=first)

    def _take_in(self, request: OrderRequest, answer: Order | ExchangeError, *, first: bool) -> None:
        if first and isinstance(answer, _NOT_SENT) and self.draw.random() < 0.5:
            self.book.not_sent(request.client_order_id, answer)
        else:
            self.book.answered(request.client_order_id, answer)

    def _cancel_failed(self, ref: OrderRef, error: ExchangeError) -> None:
        self.book.orders[ref.client_order_id].note("cancel", f"{type(error).__name__} {error}")


class Maker(Trader):
    """Quotes at the touch, one order at a time, and takes some back."""

    async def turn(self) -> None:
        for ref in self.book.own_open():
            if self.draw.random() < 0.3:
                await self.cancel(ref)
        post_only = TimeInForce.POST_ONLY if self.draw.random() < 0.3 else TimeInForce.GTC
        await self.place(await self.order(self._symbol(), away=Decimal("0.0001"), time_in_force=post_only))
        await asyncio.sleep(self.draw.uniform(0.1, 0.6))

    def _symbol(self) -> str:
        return self.draw.choice(self.book.symbols)


class Holder(Maker):
    """A maker whose orders the connector is to cancel when it stays away for too long."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.away_s = (1.0, 3 * _LEASE_S)
        self.book.leased = True

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from super(Trader, self).duties()
        yield self._trade_with_lease()

    async def _trade_with_lease(self) -> None:
        async with self.exchange.lease(_LEASE_S, on_lapse=self._lapsed), asyncio.TaskGroup() as group:
            group.create_task(self._resolve_doubts())
            group.create_task(self._trade())
            await asyncio.Event().wait()

    def _lapsed(self, _error: LeaseExpired) -> None:
        """Go on with the new lease; the streams tell which orders went with the old one."""


class Batcher(Trader):
    """Places a ladder in one call and takes it back in another."""

    async def turn(self) -> None:
        symbol = self.draw.choice(self.book.symbols)
        away = [Decimal(step) / 10_000 for step in (0, 2, 8, 30, 60)]
        await self.place_batch([await self.order(symbol, away=share) for share in away])
        await asyncio.sleep(self.draw.uniform(0.5, 2.0))
        if refs := self.book.own_open():
            await self.cancel_batch(refs[:10])


class Greedy(Trader):
    """Sends bursts of orders that trade at once, and cancels everybody's of the last symbol now and then."""

    async def turn(self) -> None:
        symbol = self.draw.choice(self.book.symbols)
        async with asyncio.TaskGroup() as burst:
            for _ in range(self.draw.randint(10, 40)):
                burst.create_task(self._one(symbol))
        if self.draw.random() < 0.1:
            last = self.book.symbols[-1]
            for order in await self.call("cancel_all_orders", self.exchange.cancel_all_orders(last)):
                self.book.learn(order, "cancel all")
        await asyncio.sleep(self.draw.uniform(2.0, 6.0))

    async def _one(self, symbol: str) -> None:
        try:
            if self.draw.random() < 0.3:
                request = await self.order(symbol, away=Decimal(0), order_type=OrderType.MARKET)
            else:
                request = await self.order(symbol, away=Decimal("-0.0005"), time_in_force=TimeInForce.IOC)
            await self.place(request)
        except ExchangeError:
            # Only the question for the price can fail here; then there is no order.
            return
