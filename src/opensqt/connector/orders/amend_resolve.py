"""Find out what became of an amendment whose reply was lost: ask for the order until it proves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from opensqt.connector.orders.resolve import OrderLookup
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.order import AmendRequest, Order
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

_log = get_logger("resolve")
_BACKOFF_S = 0.2, 5.0


class AmendResolver:
    """Asks for an order until it is proven whether an amendment was made.

    An order that is closed can't be amended any more, and one that has what was asked for was amended. An order that is
    as it was proves nothing while the request may still be on its way (recv_window_ms) or the amendment may not be
    visible to queries yet (visibility_margin_ms). An error never proves anything.

    Args:
        recv_window_ms: How long after its timestamp the venue takes a signed request.
        visibility_margin_ms: How long the venue's queries may lag behind its acceptance.
        clock: Monotonic nanoseconds.
        sleep: Waits.
    """

    def __init__(
        self,
        *,
        recv_window_ms: int = 5_000,
        visibility_margin_ms: int = 5_000,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._proof_after_ns = (recv_window_ms + visibility_margin_ms) * 1_000_000
        self._clock = clock
        self._sleep = sleep

    async def __call__(self, exchange: OrderLookup, target: AmendRequest, sent_ns: int) -> Order | OrderNotFound | None:
        """Ask until it is proven.

        Args:
            exchange: Who to ask.
            target: The amendment as it was sent, with the order's ids.
            sent_ns: When it was last sent, by the clock.

        Returns:
            The order, amended or closed; the error when the venue does not know it any more; None when it is proven
            that the amendment was not made.
        """
        proof_ns = sent_ns + self._proof_after_ns
        backoff = Backoff(*_BACKOFF_S)
        failed = False
        while True:
            asked_ns = self._clock()
            try:
                order = await exchange.get_order(target.order)
                if order.status.is_closed or target.is_done(order):
                    return order
                missing = None
            except OrderNotFound as error:
                missing = error
            except Exception as error:  # noqa: BLE001 - no error proves anything; only the venue's report ends this
                ours = error if isinstance(error, ExchangeError) else None
                # Once an amendment: a venue that is dead for an hour would fill the log.
                (_log.debug if failed else _log.warning)(
                    "could not ask what became of an amendment; asking again",
                    client_order_id=target.order.client_order_id,
                    reason=ours.reason if ours is not None else type(error).__name__,
                    exc_info=error if ours is None else None,
                )
                failed = True
                await self._sleep(backoff.next_s(at_least_s=ours.retry_after_s if ours is not None else None))
                continue
            if asked_ns >= proof_ns:
                return missing
            await self._sleep(min(backoff.next_s(), max((proof_ns - asked_ns) / 1e9, 0.01)))
