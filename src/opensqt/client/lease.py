"""A lease that is renewed while a block runs. Its loss is reported at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

from opensqt.model.errors import AccessError, ExchangeError, LeaseExpired, OutcomeUnknown, RequestError
from opensqt.model.venue import ClaimRequest, Lease
from opensqt.telemetry.logging import get_logger

OnLapse = Callable[[LeaseExpired], None]


class Heartbeat(Protocol):
    """Takes or renews the lease, and the claim with it; `RemoteExchange.heartbeat`."""

    def __call__(self, ttl_s: float, claim: ClaimRequest | None = None, *, number: int = 0) -> Awaitable[Lease]:
        """Send one heartbeat."""


ANONYMOUS = "local"
"""The connector's name for every client that has none."""
_MAX_INTERVAL_S = 1.0

log = get_logger("remote.lease")


class RemoteLease:
    """This client's lease, from the start of a block to its end.

    Only the connector's report ends the block. While the connector can't be reached the block continues, and `held`
    is False once the lease may have expired. A refusal (the token was revoked, say) ends the block with that error.

    Args:
        heartbeat: Takes or renews the lease, and the claim with it; 0 releases both.
        ttl_s: How long the connector waits for a heartbeat.
        on_lapse: Called instead of cancelling the block.
        claim: The right to trade that is held with the lease.
    """

    def __init__(
        self,
        heartbeat: Heartbeat,
        ttl_s: float,
        on_lapse: OnLapse | None = None,
        claim: ClaimRequest | None = None,
    ) -> None:
        self._heartbeat = heartbeat
        self._claim = claim
        self._ttl_s = ttl_s
        self._on_lapse = on_lapse
        self._latest: Lease | None = None
        self._confirmed = 0.0
        self._unconfirmed = False
        self._failure: Exception | None = None
        self._renew_task: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._unclaimed = False
        self._cancelling = 0

    @property
    def latest(self) -> Lease:
        """The connector's last report on the lease."""
        if self._latest is None:
            raise RuntimeError("the lease was not taken; use `async with exchange.lease()`")
        return self._latest

    @property
    def held(self) -> bool:
        """Whether the lease is known to protect the orders: the connector confirmed it within the last ttl_s."""
        return self._failure is None and time.monotonic() - self._confirmed < self._ttl_s

    @property
    def failure(self) -> Exception | None:
        """The error that ended the renewal; None while it is renewed."""
        return self._failure

    async def confirm(self) -> None:
        """Renew now, for a program that has to know whether lease and claim are still its own.

        Raises:
            TradingClaimed: Another program holds the claim, or has held it since.
            LeaseExpired: The lease had ended, and nobody else is called for that.
            ExchangeError: The connector did not respond, which proves nothing.
        """
        lease = await self._renew()
        if lease.lapsed:
            self._lapsed(lease)

    async def __aenter__(self) -> Self:
        self._failure = None
        self._unconfirmed = False
        lease = await self._take()
        if lease.client == ANONYMOUS:
            log.warning("this client has no name: it shares its lease with every other client without one; set a name")
        if lease.lapsed:
            log.warning("an earlier lease of this client had lapsed; waiting until its orders are canceled")
            while lease.open_orders:
                await asyncio.sleep(min(self._ttl_s / 3, _MAX_INTERVAL_S))
                lease = await self._renew()
        self._owner = asyncio.current_task()
        self._cancelling = self._owner.cancelling() if self._owner else 0
        self._renew_task = asyncio.create_task(self._renew_forever(), name="lease")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._renew_task = self._renew_task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})
        if self._failure is not None and self._owner is not None:
            cancelled_by_us = self._owner.uncancel() <= self._cancelling and kind is asyncio.CancelledError
            if cancelled_by_us or kind is None:
                raise self._failure
        elif kind is None:
            self._latest = await self._beat(0)
            if self._latest.lapsed:
                self._lapsed(self._latest)
        else:
            log.warning("the lease was not released; the connector cancels the orders", within_s=self._ttl_s)

    async def _renew_forever(self) -> None:
        """Renew until cancelled; an error that no retry can mend ends the block."""
        pause_s = self._ttl_s / 3
        try:
            while True:
                await asyncio.sleep(pause_s)
                pause_s = await self._renew_once()
        except Exception as error:  # noqa: BLE001 - raised in the block's own task, whatever it is
            self._failure = error
            if self._owner is not None:
                self._owner.cancel()

    async def _renew_once(self) -> float:
        """Renew once and return the seconds until the next renewal."""
        try:
            lease = await self._renew()
        except (AccessError, RequestError):
            raise
        except ExchangeError as error:
            if not (self.held or self._unconfirmed):
                self._unconfirmed = True
                log.error("the lease could not be renewed and may have expired", error=str(error))
            return min(self._ttl_s / 10, _MAX_INTERVAL_S)
        if lease.lapsed:
            self._lapsed(lease)
        elif self._unconfirmed:
            log.info("the lease is held again")
        self._unconfirmed = False
        return self._ttl_s / 3

    def _lapsed(self, lease: Lease) -> None:
        error = LeaseExpired(
            f"the lease of {lease.client} had ended before it was renewed; its orders were canceled, or are being"
        )
        log.error("the lease lapsed", client=lease.client, open_orders=lease.open_orders)
        if self._on_lapse is None:
            raise error
        self._on_lapse(error)

    async def _take(self) -> Lease:
        """Take the lease and the claim; wait while orders of the claim's holder before are of unknown outcome."""
        while True:
            try:
                return await self._renew()
            except OutcomeUnknown as error:
                log.warning("waiting for orders of the program before", reason=error.message)
                await asyncio.sleep(min(self._ttl_s / 3, _MAX_INTERVAL_S))

    async def _renew(self) -> Lease:
        sent = time.monotonic()
        self._latest = await self._beat(self._ttl_s)
        self._confirmed = sent
        if self._claim is not None:
            self._keep_number(self._claim, self._latest)
        return self._latest

    async def _beat(self, ttl_s: float) -> Lease:
        # With its number a lapse is reported until a response of it has arrived.
        return await self._heartbeat(ttl_s, self._claim, number=self._latest.number if self._latest else 0)

    def _keep_number(self, claim: ClaimRequest, lease: Lease) -> None:
        if lease.claim is not None:
            self._claim = replace(claim, number=lease.claim.number, take_over=False)
        elif not self._unclaimed:
            self._unclaimed = True
            log.warning("the connector knows no claims: take care that no other program trades", symbol=claim.symbol)
