"""Cancels every order of a symbol, and goes on until the venue and the journal agree that none is left."""

from __future__ import annotations

import asyncio

from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.journal import JournalError
from opensqt.connector.orders.manager import OrderManager
from opensqt.model.errors import (
    AccessError,
    ExchangeError,
    InvalidRequest,
    OrderNotFound,
    OutcomeUnknown,
    UnknownSymbol,
    Unsupported,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderStatus
from opensqt.service.backoff import Backoff
from opensqt.telemetry import logging

_log = logging.get_logger("connector.cancel_all")
_BACKOFF_S = (0.1, 2.0)
_NAMED = 10


class CancelAll:
    """The kill switch of one symbol.

    Args:
        exchange: Cancels what it shows.
        orders: Knows which orders are in flight, and which were acknowledged and have not ended.
        halts: Keeps new orders out meanwhile, and takes back those that wait to be sent.
    """

    def __init__(self, exchange: Exchange, orders: OrderManager, halts: Halts) -> None:
        self._exchange = exchange
        self._orders = orders
        self._halts = halts

    async def run(self, symbol: str, *, wait_s: float) -> list[Order]:
        """Cancel every order of a symbol, whoever placed it, and return those that were canceled.

        Args:
            symbol: Canonical.
            wait_s: How long it may take to prove that none is left.

        Raises:
            OutcomeUnknown: It is not proven; the message names what is open and what is in flight.
            UnknownSymbol: It is not traded here.
            Unsupported: There is no account, in public-only mode.
            AccessError: The venue does not take the key.
        """
        one = _Symbol(symbol, self._exchange, self._orders)
        with self._halts.passing(symbol):
            try:
                async with asyncio.timeout(wait_s):
                    await one.run()
            except TimeoutError:
                raise OutcomeUnknown(one.unproven(), symbol=symbol) from None
        return list(one.canceled.values())


class _Symbol:
    """One call."""

    def __init__(self, symbol: str, exchange: Exchange, orders: OrderManager) -> None:
        self._symbol = symbol
        self._exchange = exchange
        self._orders = orders
        self.canceled: dict[str, Order] = {}
        self._trouble = ""
        self._backoff = Backoff(*_BACKOFF_S, jitter=None)
        self._retry_after_s: float | None = None

    async def run(self) -> None:
        """Cancel, wait for what is in flight, and begin again until nothing is left. A failure proves nothing."""
        while True:
            self._trouble, self._retry_after_s = "", None
            try:
                if await self._attempt():
                    return
            except (InvalidRequest, UnknownSymbol, Unsupported, AccessError):
                raise
            except (ExchangeError, JournalError) as error:
                self._note(error)
            if self._trouble:
                _log.warning("orders of a symbol are left", symbol=self._symbol, reason=self._trouble)
            await self._pause()

    def unproven(self) -> str:
        """Say what is not proven to be gone."""
        parts = [f"cancel all of {self._symbol}: it is not proven that no order is left"]
        if in_flight := self._orders.in_flight(self._symbol):
            parts.append(f"in flight: {_named([one.ref.client_order_id or one.ref.order_id for one in in_flight])}")
        if known := self._orders.own.known_open(self._symbol):
            parts.append(f"open: {_named([ref.client_order_id for ref in known])}")
        if self._trouble:
            parts.append(self._trouble)
        return "; ".join(parts)

    async def _attempt(self) -> bool:
        # Looked at first: an order leaves what is in flight when its presence or its absence is proven, and not before.
        in_flight = self._orders.in_flight(self._symbol)
        for order in await self._exchange.cancel_all_orders(self._symbol):
            self._take(order)
        # What was acknowledged and is not shown, or whose end is not known.
        await self._cancel(self._orders.own.known_open(self._symbol))
        if in_flight or self._orders.in_flight(self._symbol):
            # What they become has to be canceled, too.
            return False
        return not self._orders.own.known_open(self._symbol)

    async def _cancel(self, refs: list[OrderRef]) -> None:
        if not refs:
            return
        for answer in await self._orders.cancel_batch(refs):
            if isinstance(answer, Order):
                self._take(answer)
            elif not isinstance(answer, OrderNotFound):
                self._note(answer)

    def _take(self, order: Order) -> None:
        self._orders.note(order)
        if order.status is OrderStatus.CANCELED:
            self.canceled[order.order_id] = order

    async def _pause(self) -> None:
        """Wait for what is in flight, but not longer than the next attempt is due."""
        pause_s = self._backoff.next_s(at_least_s=self._retry_after_s)
        pending = {one.outcome for one in self._orders.in_flight(self._symbol)}
        if pending:
            await asyncio.wait(pending, timeout=pause_s)
        else:
            await asyncio.sleep(pause_s)

    def _note(self, error: ExchangeError | JournalError) -> None:
        self._trouble = logging.redact(str(error))
        if isinstance(error, ExchangeError) and error.retry_after_s is not None:
            self._retry_after_s = max(self._retry_after_s or 0.0, error.retry_after_s)


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more
