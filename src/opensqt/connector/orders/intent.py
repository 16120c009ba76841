"""One order on its way: the request, its client, and the outcome."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Protocol

from opensqt.model.errors import DuplicateOrder, ExchangeError, OutcomeUnknown
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus
from opensqt.proto import types_pb2 as pb
from opensqt.wire.errors import encode_order_result

Outcome = Order | ExchangeError
BY_ANOTHER = "by another client"


@dataclass(frozen=True, slots=True)
class Barred:
    """An order that may not be placed now; if it was asked for before, its client still receives its outcome."""

    request: OrderRequest
    reason: ExchangeError
    """What its client is answered otherwise."""


class OrderInFlight(Protocol):
    """An order, or an amendment of one, that was taken from a client."""

    @property
    def outcome(self) -> asyncio.Future[Outcome]:
        """What became of it."""
        ...

    @property
    def status(self) -> OrderStatus:
        """UNKNOWN when it was sent and is not proven."""
        ...

    @property
    def ref(self) -> OrderRef:
        """The order."""
        ...

    @property
    def in_flight(self) -> bool:
        """Whether it may be at the venue, or get there, and its outcome is not proven."""
        ...


@dataclass(eq=False, slots=True)
class Intent:
    """An order that was asked for, and is not yet written off as done."""

    request: OrderRequest
    client: str
    """The client that asked for it."""
    outcome: asyncio.Future[Outcome]
    status: OrderStatus = OrderStatus.PENDING
    barred: ExchangeError | None = None
    """Why it is not sent, unless it was before."""
    encoded: bytes = b""
    """The request as it came over the wire, until it is journaled."""
    passes_halts: bool = False
    """It closes a position for the client that holds the halt, so it is sent though trading is halted."""
    _result: pb.OrderResult | None = None

    @property
    def ref(self) -> OrderRef:
        """The order by its client's id."""
        return OrderRef(symbol=self.request.symbol, client_order_id=self.request.client_order_id)

    @property
    def in_flight(self) -> bool:
        """Whether it may be at the venue, or get there, and its outcome is not proven."""
        return not self.outcome.done() and (self.barred is None or self.status is OrderStatus.UNKNOWN)

    def conflict(self, request: OrderRequest, client: str) -> DuplicateOrder | None:
        """Say why what a client asks for under this id is not this very order, or None when it is."""
        if self.client not in ("", client):
            return duplicate(request, BY_ANOTHER)
        return None if self.request == request else duplicate(request)

    def now(self) -> Outcome:
        """Return the outcome as far as it is known."""
        if self.outcome.done():
            return self.outcome.result()
        return OutcomeUnknown(
            f"order {self.request.client_order_id}: not proven present or absent yet; ask again with the same id",
            symbol=self.request.symbol,
        )

    def result(self) -> pb.OrderResult:
        """Return the outcome as far as it is known, encoded once for the journal and the answer."""
        if not self.outcome.done():
            return encode_order_result(self.now())
        if self._result is None:
            self._result = encode_order_result(self.outcome.result())
        return self._result

    def as_order(self) -> Order:
        """Return what is known of it as an order."""
        asked = self.request
        return Order(
            symbol=asked.symbol,
            side=asked.side,
            quantity=asked.quantity,
            client_order_id=asked.client_order_id,
            status=self.status,
            order_type=asked.order_type,
            price=asked.price,
            time_in_force=asked.time_in_force,
            reduce_only=asked.reduce_only,
            position_side=asked.position_side,
            reason="the venue has not confirmed it yet",
            received_ns=time.time_ns(),
        )


async def done_within(outcome: asyncio.Future[Outcome], wait_s: float) -> None:
    """Wait until an outcome is there, or for so long; the outcome stays open when its waiter gives up.

    It is `asyncio.wait` for one future, without the sets that it makes.
    """
    if outcome.done():
        return
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def end(_outcome: asyncio.Future[Outcome] | None = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = loop.call_later(max(wait_s, 0), end)
    outcome.add_done_callback(end)
    try:
        await over
    finally:
        timer.cancel()
        outcome.remove_done_callback(end)


def not_shown(outcome: Outcome | None) -> Order | None:
    """Return the outcome of an order that the venue does not show now; None where no order came of it.

    An end is final. An order that was open may have ended since, unseen by the orders stream: reported open, it would
    stay so for ever in the eyes of the client that asked.
    """
    if not isinstance(outcome, Order) or outcome.status.is_closed:
        return outcome if isinstance(outcome, Order) else None
    return replace(outcome, status=OrderStatus.UNKNOWN, reason=f"{outcome.status} once; the venue does not show it now")


def duplicate(request: OrderRequest, how: str = "with other content") -> DuplicateOrder:
    """Refuse an order whose id is taken."""
    return DuplicateOrder(
        f"client_order_id {request.client_order_id}: used before {how}; take a new one", symbol=request.symbol
    )


def is_of(order: Order, request: OrderRequest) -> bool:
    """Whether an order that the venue reports has the content that was asked for."""
    return (order.symbol, order.side, order.quantity, order.order_type) == (
        request.symbol,
        request.side,
        request.quantity,
        request.order_type,
    ) and request.price in (None, order.price)
