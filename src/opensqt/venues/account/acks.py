"""Waits for the private stream's word on an order, where the venue's reply only says that it took the request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opensqt.model.order import Order, OrderRef

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class PendingAck:
    """A promise of the stream's next word on one order."""

    future: asyncio.Future[Order]
    closed: bool
    """Whether only a word that closes the order will do."""

    @property
    def order(self) -> Order | None:
        """What was told, or None so far."""
        return self.future.result() if self.future.done() else None


class PendingAcks:
    """Those who wait, by the id that they named the order with."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[PendingAck]] = {}

    @contextmanager
    def expect(self, ref: OrderRef, *, closed: bool = False) -> Iterator[PendingAck]:
        """Listen from before the request is sent, as the stream may be ahead of the reply."""
        key = _key(ref.symbol, ref.client_order_id, ref.order_id)
        ack = PendingAck(asyncio.get_running_loop().create_future(), closed)
        self._waiting.setdefault(key, []).append(ack)
        try:
            yield ack
        finally:
            self._waiting[key].remove(ack)
            if not self._waiting[key]:
                del self._waiting[key]

    def resolve(self, order: Order) -> None:
        """Take in what the stream told."""
        for key in (_key(order.symbol, order.client_order_id, ""), _key(order.symbol, "", order.order_id)):
            for ack in self._waiting.get(key, ()):
                if not ack.future.done() and (order.status.is_closed or not ack.closed):
                    ack.future.set_result(order)


async def wait_for_acks(acks: Iterable[PendingAck], within_s: float) -> None:
    """Wait until all were told, or the time is over."""
    futures = [ack.future for ack in acks]
    if futures:
        await asyncio.wait(futures, timeout=within_s)


def _key(symbol: str, client_order_id: str, order_id: str) -> _Key:
    return (symbol, client_order_id, "" if client_order_id else order_id)
