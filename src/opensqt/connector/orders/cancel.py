"""Cancels all that one client has open, until the venue reports that nothing of it is left."""

from __future__ import annotations

import asyncio

from opensqt.connector.orders.journal import JournalError
from opensqt.connector.orders.manager import OrderManager
from opensqt.model.errors import ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef
from opensqt.service.backoff import Backoff
from opensqt.telemetry import logging

_log = logging.get_logger("connector.leases")
_BACKOFF_S = 0.2, 5.0


class CancelOut:
    """The orders of one client that has to stop placing new ones first.

    Args:
        client: Whose orders.
        manager: Knows them and cancels.
        exchange: Is asked what is open.
    """

    def __init__(self, client: str, manager: OrderManager, exchange: Exchange) -> None:
        self._client = client
        self._manager = manager
        self._exchange = exchange
        self._backoff = Backoff(*_BACKOFF_S)
        self._retry_after_s = 0.0
        self.trouble = ""
        """Why the last attempt was not the last; empty before the first."""

    async def run(self) -> None:
        """Cancel, wait for what is in flight, ask, and begin again until nothing is left. A failure proves nothing."""
        while True:
            self.trouble, self._retry_after_s = "", 0.0
            try:
                if await self._attempt():
                    return
            except (ExchangeError, JournalError) as error:
                self._note(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the orders must not be left where they are
                _log.error("orders of an ended lease: the attempt failed", client=self._client, exc_info=error)
                self.trouble = f"the attempt failed: {type(error).__name__}"
            if self.trouble:
                left = self._manager.own.open_count(self._client)
                _log.warning("orders of an ended lease are left", client=self._client, orders=left, reason=self.trouble)
            await asyncio.sleep(self._backoff.next_s(at_least_s=self._retry_after_s))

    async def _attempt(self) -> bool:
        """Cancel what is known, and return whether the venue says that none is left."""
        own = self._manager.own
        await self._cancel(own.settled(self._client))
        if own.open_count(self._client):
            # What is open can't be known before what became of these.
            self.trouble = self.trouble or "orders in flight are not resolved yet"
            return False
        missed = await own.among(await self._exchange.get_open_orders(), self._client)
        await self._cancel(missed)
        return not missed and not own.open_count(self._client)

    async def _cancel(self, refs: list[OrderRef]) -> None:
        if not refs:
            return
        answers = await self._manager.cancel_batch(refs)
        ended = sum(isinstance(answer, Order) and answer.status.is_closed for answer in answers)
        _log.info("orders of an ended lease canceled", client=self._client, orders=len(refs), ended=ended)
        for answer in answers:
            if isinstance(answer, ExchangeError):
                self._note(answer)

    def _note(self, error: ExchangeError | JournalError) -> None:
        self.trouble = logging.redact(str(error))
        if isinstance(error, ExchangeError) and error.retry_after_s is not None:
            self._retry_after_s = max(self._retry_after_s, error.retry_after_s)
