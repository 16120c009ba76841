"""What became of amendments, for venues whose response only says that the request was received."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from opensqt.model.errors import ExchangeError, OutcomeUnknown
from opensqt.model.order import AmendRequest, Order, OrderRef
from opensqt.venues.transport.errors import PARSE_ERRORS

_QUERY_DELAYS_S = (0.0, 0.1, 0.2, 0.4, 0.8)


class AmendResults:
    """Results that the account stream reports by the id of the amendment."""

    def __init__(self) -> None:
        self._pending: dict[str, asyncio.Future[Order | ExchangeError]] = {}

    @contextmanager
    def expect(self, amend_id: str) -> Iterator[asyncio.Future[Order | ExchangeError]]:
        """Register an amendment while the block runs. Enter the block before the request is sent."""
        future: asyncio.Future[Order | ExchangeError] = asyncio.get_running_loop().create_future()
        self._pending[amend_id] = future
        try:
            yield future
        finally:
            if self._pending.get(amend_id) is future:
                del self._pending[amend_id]

    def resolve(self, amend_id: str, result: Order | ExchangeError) -> None:
        """Report the order after an amendment, or why the venue refused it."""
        future = self._pending.get(amend_id)
        if future is not None and not future.done():
            future.set_result(result)


async def confirm_amended(
    query: Callable[[OrderRef], Awaitable[Order]],
    ref: OrderRef,
    request: AmendRequest,
    delays_s: Sequence[float] = _QUERY_DELAYS_S,
) -> Order:
    """Query an order whose amendment was acknowledged until it has what was asked for, or is closed.

    Args:
        query: Queries the venue for an order.
        ref: The order.
        request: What was asked for.
        delays_s: The pauses before the queries.

    Raises:
        OutcomeUnknown: It has not, or it could not be queried.
    """
    for delay_s in delays_s:
        await asyncio.sleep(delay_s)
        try:
            order = await query(ref)
        except (ExchangeError, *PARSE_ERRORS) as error:
            text = f"the amendment was acknowledged; the order could not be queried: {error}"
            raise OutcomeUnknown(text, symbol=ref.symbol) from error
        if order.status.is_closed or request.is_done(order):
            return order
    raise OutcomeUnknown("the amendment was acknowledged; the order does not show it yet", symbol=ref.symbol)
