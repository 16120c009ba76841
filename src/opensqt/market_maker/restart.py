"""The restarts of a grid that failed: how long it waits, and its orders, which nobody watches meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opensqt.model.errors import ConnectorUnavailable, ExchangeError, OrderNotFound
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef
from opensqt.service.backoff import Backoff, Jitter

CAP_S = 60.0
"""The longest delay of a restart. A grid that has traded for so long is well again: its next failure is a first one."""
CANCEL_AGAIN_S = 1.0
"""Seconds after which what is not proven to be closed is cancelled again: an order in flight may arrive meanwhile."""
_CANCEL_TIMES = 3


class RestartDelays:
    """The delays of one grid. Times are monotonic seconds.

    Args:
        base_s: The longest delay after the first failure; it doubles with each one in a row.
        jitter: As `Backoff` takes it.
    """

    def __init__(self, base_s: float, *, jitter: Jitter | None = None) -> None:
        self._backoff = Backoff(base_s, CAP_S, jitter=jitter)
        self._trades_since: float | None = None

    def began(self, now: float) -> None:
        """Note that it trades."""
        self._trades_since = now

    def next_s(self, now: float) -> float:
        """Note that it failed, and return the seconds until it begins again."""
        since, self._trades_since = self._trades_since, None
        if since is not None and now - since >= CAP_S:
            self._backoff.reset()
        return self._backoff.next_s()


async def pull_orders(exchange: Exchange, refs: Sequence[OrderRef], *, max_batch: int) -> dict[str, str]:
    """Cancel orders, those that are not proven to be closed again, and return what is left: client id to reason.

    Raises:
        ConnectorUnavailable: The exchange is lost for good.
    """
    left, failures = list(refs), dict[str, ExchangeError | None]()
    for attempt in range(_CANCEL_TIMES):
        if attempt:
            await asyncio.sleep(CANCEL_AGAIN_S)
        failures = await _cancel(exchange, left, max(1, max_batch))
        left = [ref for ref in left if ref.client_order_id in failures]
        if not left:
            break
    return {
        client_order_id: error.message if error is not None else "its cancel is not confirmed"
        for client_order_id, error in failures.items()
        if not isinstance(error, OrderNotFound)
    }


async def _cancel(exchange: Exchange, refs: Sequence[OrderRef], max_batch: int) -> dict[str, ExchangeError | None]:
    """Cancel once, and return what is not closed: client id to the error, if there was one."""
    found: dict[str, ExchangeError | None] = {}
    for first in range(0, len(refs), max_batch):
        some = refs[first : first + max_batch]
        outcomes: Sequence[Order | ExchangeError]
        try:
            outcomes = await exchange.batch_cancel_orders(some)
        except ConnectorUnavailable:
            raise
        except ExchangeError as error:
            outcomes = [error] * len(some)
        for ref, outcome in zip(some, outcomes, strict=True):
            if isinstance(outcome, ConnectorUnavailable):
                raise outcome
            if isinstance(outcome, ExchangeError):
                found[ref.client_order_id] = outcome
            elif not outcome.status.is_closed:
                found[ref.client_order_id] = None
    return found
