"""The lease of a market maker: when it dies, the connector cancels its orders, and while it lives no other trades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ConfigError, ExchangeError, LeaseExpired, TradingClaimed
from opensqt.model.exchange import Exchange
from opensqt.model.venue import ClaimRequest
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker")


class _LetLeaseExpire(Exception):
    """Ends the block of a lease that must run out at the connector."""


@dataclass(slots=True)
class LeaseExit:
    """What a block does with its lease, and how the lease ends with it."""

    keep_until_expiry: bool = False
    """Whether it runs out instead of being released, so that the connector cancels the orders that are left."""
    ask: Callable[[], Awaitable[None]] | None = None
    """Renews lease and claim now, and raises TradingClaimed when another program has it; None without a connector."""


@asynccontextmanager
async def trading_lease(exchange: Exchange, lease_s: int, claim: ClaimRequest) -> AsyncIterator[LeaseExit]:
    """Hold a lease and the right to trade while the block runs, and release both when it ends without an error.

    Args:
        exchange: Only a connector holds leases; on any other exchange nothing is protected.
        lease_s: Seconds without a heartbeat after which the connector cancels the orders; 0 holds no lease.
        claim: The symbol and the strategy that nobody else trades meanwhile.

    Raises:
        ConfigError: Another market maker trades them.
        TradingClaimed: Another one took over while the block ran.
    """
    lease_exit = LeaseExit()
    if not lease_s or not isinstance(exchange, RemoteExchange):
        yield lease_exit
        return
    began = ended = False
    try:
        async with exchange.lease(lease_s, on_lapse=_log_lapse, claim=claim) as lease:
            began = True
            lease_exit.ask = lease.confirm
            yield lease_exit
            ended = True
            if lease_exit.keep_until_expiry:
                raise _LetLeaseExpire
    except _LetLeaseExpire:
        _log.warning("orders are left; the connector cancels them", within_s=lease_s)
    except TradingClaimed as error:
        if began:
            raise
        raise ConfigError(f"trading.symbol: {error.message}; --take-over does so") from None
    except ExchangeError as error:
        if not ended:
            raise
        _log.warning(
            "the lease could not be released; the connector cancels the orders that are left",
            within_s=lease_s,
            reason=error.reason,
        )


def _log_lapse(lapse: LeaseExpired) -> None:
    # The orders stream reports each cancel, and the grid then places its orders again.
    _log.error("the connector received no heartbeat for too long and canceled the orders", reason=lapse.message)
