"""Find out what became of an order whose reply was lost: ask until the venue proves it present or absent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import Order, OrderRef, OrderRequest
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

_log = get_logger("resolve")
_BACKOFF_S = 0.2, 5.0


class OrderLookup(Protocol):
    """The part of an Exchange that resolution needs."""

    async def get_order(self, ref: OrderRef) -> Order:
        """Ask for one order."""
        ...


async def resolve(
    exchange: OrderLookup,
    request: OrderRequest,
    *,
    sent_ns: int,
    recv_window_ms: int = 5_000,
    visibility_margin_ms: int = 5_000,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Order | None:
    """Ask for an order by its client id until its fate is proven; ends only by proof or cancellation.

    "Not found" proves nothing while the request may still be on its way (recv_window_ms) or the order may be
    accepted but not visible to queries yet (visibility_margin_ms). Any other error never proves anything.

    Args:
        exchange: Who to ask.
        request: The order as it was sent.
        sent_ns: When it was last sent, by *clock*.
        recv_window_ms: How long after its timestamp the venue takes a signed request.
        visibility_margin_ms: How long the venue's queries may lag behind its acceptance.
        clock: Monotonic nanoseconds: only durations count, and a time of day that is set forward proves nothing.
        sleep: Waits.

    Returns:
        The order as the venue knows it, or None when it is proven absent and may be sent again.
    """
    ref = OrderRef(symbol=request.symbol, client_order_id=request.client_order_id)
    proof_ns = sent_ns + (recv_window_ms + visibility_margin_ms) * 1_000_000
    # Without jitter: orders that were lost together are asked for together, with one query for all of them.
    backoff = Backoff(*_BACKOFF_S, jitter=None)
    failed = False
    while True:
        asked_ns = clock()
        try:
            return await exchange.get_order(ref)
        except OrderNotFound:
            if asked_ns >= proof_ns:
                return None
            pause_s = min(backoff.next_s(), max((proof_ns - asked_ns) / 1e9, 0.01))
        except ExchangeError as error:
            pause_s = backoff.next_s(at_least_s=error.retry_after_s)
            # Once an order: a venue that is dead for an hour would fill the log.
            (_log.debug if failed else _log.warning)(
                "could not ask what became of an order; asking again",
                client_order_id=request.client_order_id,
                reason=error.reason,
                wait_s=round(pause_s, 3),
            )
            failed = True
        await sleep(pause_s)
