"""Covers the orders of a market maker that dies: a lease at the connector while it trades."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ExchangeError, LeaseExpired
from opensqt.model.exchange import Exchange
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker")


class _StillNeeded(Exception):
    """Ends the block of a lease that must not be given up."""


@dataclass(slots=True)
class Cover:
    """What the end of the block does with the lease."""

    still_needed: bool = False
    """Let it run out, so that the connector cancels what we could not."""


@asynccontextmanager
async def covered(exchange: Exchange, lease_s: int) -> AsyncIterator[Cover]:
    """Hold a lease while the block runs, and give it up when it ends in good order and needs it no more.

    Args:
        exchange: Only a connector can cancel on behalf of who is gone; on any other nothing is covered.
        lease_s: How long the connector waits for a sign of life; 0 holds no lease.
    """
    cover = Cover()
    if not lease_s or not isinstance(exchange, RemoteExchange):
        yield cover
        return
    ended_well = False
    try:
        async with exchange.lease(lease_s, on_lapse=_tell):
            yield cover
            ended_well = True
            if cover.still_needed:
                raise _StillNeeded
    except _StillNeeded:
        _log.warning("orders are left; the connector cancels them", within_s=lease_s)
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
