"""A lease that is kept while a block runs, and told at once when it was lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from opensqt.model.errors import AccessError, ExchangeError, LeaseExpired, RequestError
from opensqt.model.venue import Lease
from opensqt.telemetry.logging import get_logger

OnLapse = Callable[[LeaseExpired], None]
NAMELESS = "local"
"""What the connector calls every client that tells it no name."""
_LONGEST_PAUSE_S = 1.0

log = get_logger("remote.lease")


class RemoteLease:
    """This client's lease, from the start of a block to its end.

    Only the connector's word ends the block: while it can't be reached the block goes on, and `held` says that
    the lease may have run out meanwhile. A refusal (the token was revoked, say) ends the block with that error.

    Args:
        heartbeat: Takes or renews it; 0 gives it up.
        ttl_s: How long the connector waits for a sign of life.
        on_lapse: Told instead of cancelling the block.
    """

    def __init__(
        self, heartbeat: Callable[[float], Awaitable[Lease]], ttl_s: float, on_lapse: OnLapse | None = None
    ) -> None:
        self._heartbeat = heartbeat
        self._ttl_s = ttl_s
        self._on_lapse = on_lapse
        self._latest: Lease | None = None
        self._confirmed = 0.0
        self._doubted = False
        self._failure: Exception | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._cancelling = 0

    @property
    def latest(self) -> Lease:
        """What the connector last said of it."""
        if self._latest is None:
            raise RuntimeError("the lease was not taken; use `async with exchange.lease()`")
        return self._latest

    @property
    def held(self) -> bool:
        """Whether the connector is known to hold the orders safe: it confirmed the lease within the last ttl_s."""
        return self._failure is None and time.monotonic() - self._confirmed < self._ttl_s

    @property
    def failure(self) -> Exception | None:
        """What ended the renewing for good; None while it goes on."""
        return self._failure

    async def __aenter__(self) -> Self:
        self._failure = None
        self._doubted = False
        lease = await self._renew()
        if lease.client == NAMELESS:
            log.warning("this client has no name, so it shares its lease with every other that has none; set one")
        if lease.lapsed:
            log.warning("an earlier lease of this client had lapsed; waiting until its orders are canceled")
            while lease.open_orders:
                await asyncio.sleep(min(self._ttl_s / 3, _LONGEST_PAUSE_S))
                lease = await self._renew()
        self._owner = asyncio.current_task()
        self._cancelling = self._owner.cancelling() if self._owner else 0
        self._keeper = asyncio.create_task(self._keep(), name="lease")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None and not keeper.done():
            keeper.cancel()
            await asyncio.wait({keeper})
        if self._failure is not None and self._owner is not None:
            ours = self._owner.uncancel() <= self._cancelling and kind is asyncio.CancelledError
            if ours or kind is None:
                raise self._failure
        elif kind is None:
            self._latest = await self._heartbeat(0)
        else:
            log.warning("the lease was not given up; the connector cancels the orders", within_s=self._ttl_s)

    async def _keep(self) -> None:
        """Renew for ever; what fails for good ends the block."""
        pause_s = self._ttl_s / 3
        try:
            while True:
                await asyncio.sleep(pause_s)
                pause_s = await self._beat()
        except Exception as error:  # noqa: BLE001 - the block's owner gets it, whatever it is
            self._failure = error
            if self._owner is not None:
                self._owner.cancel()

    async def _beat(self) -> float:
        """Renew once and answer how long to wait for the next."""
        try:
            lease = await self._renew()
        except (AccessError, RequestError):
            raise
        except ExchangeError as error:
            if not (self.held or self._doubted):
                self._doubted = True
                log.error("the lease could not be renewed and may have run out", error=str(error))
            return min(self._ttl_s / 10, _LONGEST_PAUSE_S)
        if lease.lapsed:
            self._lapsed(lease)
        elif self._doubted:
            log.info("the lease is held again")
        self._doubted = False
        return self._ttl_s / 3

    def _lapsed(self, lease: Lease) -> None:
        error = LeaseExpired(
            f"the lease of {lease.client} had ended before it was renewed; its orders were canceled, or are being"
        )
        log.error("the lease lapsed", client=lease.client, open_orders=lease.open_orders)
        if self._on_lapse is None:
            raise error
        self._on_lapse(error)

    async def _renew(self) -> Lease:
        sent = time.monotonic()
        self._latest = await self._heartbeat(self._ttl_s)
        self._confirmed = sent
        return self._latest
