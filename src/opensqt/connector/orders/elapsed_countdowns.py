"""Countdowns of the venue that ran out: which orders the venue canceled, found out by queries and reported."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from opensqt.connector.orders.countdown_records import CountdownRecord, CountdownRecords
from opensqt.connector.orders.journal import JournalError
from opensqt.model.countdown import ElapsedCountdown
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderStatus
from opensqt.service.backoff import Backoff
from opensqt.telemetry import logging

_log = logging.get_logger("connector.dead_machine")
_KEPT = 20
_ORDERS_QUERIED = 200
_IDS_LOGGED = 20
_CLOCKS_DIFFER_MS = 1_000
_VENUE_LATE_S = 2.0
"""So much later than we count, at most, the venue cancels."""


class ElapsedCountdowns:
    """The latest countdowns that ran out and canceled orders.

    They are of this run, which stood still or reached nobody, or of one that died.

    Args:
        exchange: Is asked for the orders.
        records: Of the countdowns; one that was reported is dropped.
    """

    def __init__(self, exchange: Exchange, records: CountdownRecords) -> None:
        self._exchange = exchange
        self._records = records
        self.latest: deque[ElapsedCountdown] = deque(maxlen=_KEPT)
        self.canceled_orders = 0
        """Orders that the venue was found to have canceled."""

    async def report(self, ended: CountdownRecord) -> None:
        """Find out which orders the venue canceled when a countdown ran out, and report them."""
        # Our time is the earliest: the venue counts from when it got the request.
        await asyncio.sleep(_VENUE_LATE_S)
        found = [await self._ask(ref) for ref in list(dict.fromkeys(ended.orders))[:_ORDERS_QUERIED]]
        canceled = [order for order in found if order is not None and _was_canceled_by(ended, order)]
        if canceled:
            self._add(ended, canceled)
        else:
            _log.info("a countdown of the exchange ran out and canceled nothing", symbol=ended.symbol or "all")
        try:
            await self._records.drop(ended.symbol, until_ms=ended.until_ms)
        except JournalError as error:
            _log.error("elapsed countdown stays in the journal", symbol=ended.symbol, reason=str(error))

    def _add(self, ended: CountdownRecord, canceled: Sequence[Order]) -> None:
        self.canceled_orders += len(canceled)
        self.latest.append(
            ElapsedCountdown(symbol=ended.symbol, ended_ms=ended.until_ms, canceled_orders=len(canceled))
        )
        _log.warning(
            "a countdown of the exchange ran out; the exchange canceled orders of lease holders",
            symbol=ended.symbol or "all",
            ended_ms=ended.until_ms,
            canceled=len(canceled),
            orders=[order.client_order_id for order in canceled[:_IDS_LOGGED]],
            reasons=sorted({order.reason for order in canceled if order.reason}),
        )

    async def _ask(self, ref: OrderRef) -> Order | None:
        """Query an order until the venue answers; None for one that it does not know."""
        backoff = Backoff(0.5, 30)
        while True:
            try:
                return await self._exchange.get_order(ref)
            except OrderNotFound:
                return None
            except ExchangeError as error:
                _log.info("order under an elapsed countdown not queried yet", reason=str(error))
                await asyncio.sleep(backoff.next_s())


def _was_canceled_by(ended: CountdownRecord, order: Order) -> bool:
    """Return whether a countdown canceled an order. Most venues do not say so: an earlier cancel was another's."""
    canceled = order.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)
    return canceled and (not order.event_time_ms or order.event_time_ms >= ended.until_ms - _CLOCKS_DIFFER_MS)
