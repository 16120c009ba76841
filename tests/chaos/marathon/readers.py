"""The clients that only look: one at everything, one slowly, one that comes and goes, and one that tries to trade."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

from opensqt.model import client_order_id
from opensqt.model.errors import AccessError, ExchangeError, PermissionDenied
from opensqt.model.order import OrderRef, OrderRequest, Side
from tests.chaos.marathon.clients import Client


class Watcher(Client):
    """Reads everything that is streamed."""

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from super().duties()
        yield self._positions()
        yield self._account()
        for symbol in self.book.symbols:
            yield self._prices(symbol)

    async def _positions(self) -> None:
        async for batch in self.exchange.subscribe_positions():
            self.book.take_positions(batch)

    async def _account(self) -> None:
        async for batch in self.exchange.subscribe_account():
            self.book.take_account(batch)

    async def _prices(self, symbol: str) -> None:
        async for batch in self.exchange.subscribe_price(symbol):
            for price in batch.updates:
                if price.bid >= price.ask:
                    self.book.mistake(f"price of {symbol}: bid {price.bid}, ask {price.ask}")


class Sleeper(Watcher):
    """Takes its time after each batch."""

    async def between_batches(self) -> None:
        if self.busy:
            await asyncio.sleep(self.draw.uniform(0.2, 1.5))


class Comer(Client):
    """Comes with its cursor, stays for some seconds, and goes."""

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from super().duties()
        yield self._go()

    async def _go(self) -> None:
        await asyncio.sleep(self.draw.uniform(1.0, 5.0) if self.busy else 3600)
        self.crash()


class Intruder(Client):
    """May read, and tries to trade all the time."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.denied = 0

    def duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield from super().duties()
        yield self._try_to_trade()

    def refused(self, what: str, error: AccessError) -> None:
        if what.startswith("try ") and isinstance(error, PermissionDenied):
            self.denied += 1
        else:
            super().refused(what, error)

    async def _try_to_trade(self) -> None:
        symbol = self.book.symbols[0]
        while True:
            request = OrderRequest(
                symbol=symbol,
                side=Side.BUY,
                quantity=(await self._rules(symbol)).min_quantity,
                price=None,
                client_order_id=client_order_id.new(self.name),
            )
            others = [entry.ref for entry in self.book.orders.values() if entry.is_open][:3]
            ref = others[0] if others else OrderRef(symbol=symbol, client_order_id=request.client_order_id)
            await self._try("try place_order", self.exchange.place_order(request))
            await self._try("try batch_place_orders", self.exchange.batch_place_orders([request, request]))
            await self._try("try cancel_order", self.exchange.cancel_order(ref))
            await self._try("try batch_cancel_orders", self.exchange.batch_cancel_orders([ref, *others]))
            await self._try("try cancel_all_orders", self.exchange.cancel_all_orders(symbol))
            await asyncio.sleep(1)

    async def _rules(self, symbol: str) -> Any:
        info = await self.call("get_exchange_info", self.exchange.get_exchange_info())
        return info.rules(symbol)

    async def _try(self, what: str, call: Coroutine[Any, Any, Any]) -> None:
        try:
            answer = await self.call(what, call)
        except ExchangeError:
            return
        answers = answer if isinstance(answer, list) else [answer]
        for one in answers:
            if isinstance(one, PermissionDenied):
                self.denied += 1
            elif not isinstance(one, ExchangeError):
                self.book.mistake(f"{what}: was done for a client that may only read: {one}")
