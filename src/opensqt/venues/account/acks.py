"""Acknowledgements by the account stream, for venues whose response only says that a request was received."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opensqt.model.order import Order, OrderRef

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class PendingAck:
    """The next update of one order, which the account stream will publish."""

    future: asyncio.Future[Order]
    counts: Callable[[Order], bool]
    """Whether an update counts that leaves the order open."""

    @property
    def order(self) -> Order | None:
        """The order as the stream published it, or None so far."""
        return self.future.result() if self.future.done() else None


class PendingAcks:
    """Pending acknowledgements, by the id that the request named its order with."""

    def __init__(self) -> None:
        self.pending: dict[_Key, list[PendingAck]] = {}

    @contextmanager
    def expect(
        self, ref: OrderRef, *, closed: bool = False, until: Callable[[Order], bool] | None = None
    ) -> Iterator[PendingAck]:
        """Register an acknowledgement while the block runs.

        Enter the block before the request is sent: the stream may be quicker than the response.

        Args:
            ref: The order.
            closed: Whether only an update that closes it counts.
            until: Whether an update counts that leaves it open; by default the first one does.
        """
        key = _key(ref.symbol, ref.client_order_id, ref.order_id)
        counts = until or (lambda _order: not closed)
        ack = PendingAck(asyncio.get_running_loop().create_future(), counts)
        self.pending.setdefault(key, []).append(ack)
        try:
            yield ack
        finally:
            self.pending[key].remove(ack)
            if not self.pending[key]:
                del self.pending[key]

    def resolve(self, order: Order) -> None:
        """Resolve the acknowledgements that wait for an update of *order*."""
        for key in (_key(order.symbol, order.client_order_id, ""), _key(order.symbol, "", order.order_id)):
            for ack in self.pending.get(key, ()):
                if not ack.future.done() and (order.status.is_closed or ack.counts(order)):
                    ack.future.set_result(order)


async def wait_for_acks(acks: Iterable[PendingAck], timeout_s: float) -> None:
    """Wait until all acknowledgements are resolved, at most *timeout_s* seconds."""
    futures = [ack.future for ack in acks]
    if futures:
        await asyncio.wait(futures, timeout=timeout_s)


def _key(symbol: str, client_order_id: str, order_id: str) -> _Key:
    return (symbol, client_order_id, "" if client_order_id else order_id)
