"""Waits for the private stream's word on an order, where the venue's reply only says that it took the request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opensqt.model.order import Order, OrderRef

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A promise of the stream's next word on one order."""

    heard: asyncio.Future[Order]
    closed: bool
    """Whether only a word that closes the order will do."""

    @property
    def order(self) -> Order | None:
        """What was told, or None so far."""
        return self.heard.result() if self.heard.done() else None


class Words:
    """Those who wait, by the id that they named the order with."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[Word]] = {}

    @contextmanager
    def expected(self, ref: OrderRef, *, closed: bool = False) -> Iterator[Word]:
        """Listen from before the request is sent, as the stream may be ahead of the reply."""
        key = _key(ref.symbol, ref.client_order_id, ref.order_id)
        word = Word(asyncio.get_running_loop().create_future(), closed)
        self._waiting.setdefault(key, []).append(word)
        try:
            yield word
        finally:
            self._waiting[key].remove(word)
            if not self._waiting[key]:
                del self._waiting[key]

    def tell(self, order: Order) -> None:
        """Take in what the stream told."""
        for key in (_key(order.symbol, order.client_order_id, ""), _key(order.symbol, "", order.order_id)):
            for word in self._waiting.get(key, ()):
                if not word.heard.done() and (order.status.is_closed or not word.closed):
                    word.heard.set_result(order)


async def heard(words: Iterable[Word], within_s: float) -> None:
    """Wait until all were told, or the time is over."""
    futures = [word.heard for word in words]
    if futures:
        await asyncio.wait(futures, timeout=within_s)


def _key(symbol: str, client_order_id: str, order_id: str) -> _Key:
    return (symbol, client_order_id, "" if client_order_id else order_id)
