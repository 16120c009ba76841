"""Covers the orders of a market maker that dies: a lease at the connector while it trades."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opensqt.exchange.protocol import Exchange
from opensqt.exchange.remote import RemoteExchange
from opensqt.model.errors import ExchangeError, LeaseExpired
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker")


@asynccontextmanager
async def covered(exchange: Exchange, lease_s: int) -> AsyncIterator[None]:
    """Hold a lease while the block runs, and give it up when it ends in good order.

    Args:
        exchange: Only a connector can cancel on behalf of who is gone; on any other nothing is covered.
        lease_s: How long the connector waits for a sign of life; 0 holds no lease.
    """
    if not lease_s or not isinstance(exchange, RemoteExchange):
        yield
        return
    ended_well = False
    try:
        async with exchange.lease(lease_s, on_lapse=_tell):
            yield
            ended_well = True
    except ExchangeError as error:
        if not ended_well:
            raise
        _log.warning(
            "the lease could not be given up; the connector cancels the orders that are left",
            within_s=lease_s,
            reason=error.reason,
        )


def _tell(lapse: LeaseExpired) -> None:
    # The orders stream tells each cancel, and the grid then places what it wants.
    _log.error("the connector had not heard of us for too long and canceled our orders", reason=lapse.message)
