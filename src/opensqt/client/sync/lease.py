"""A lease for blocking code: the background thread renews it while a block runs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from opensqt.client.exchange import RemoteExchange
from opensqt.client.lease import OnLapse
from opensqt.client.sync.loop import LoopThread
from opensqt.model.errors import LeaseExpired
from opensqt.model.venue import ClaimRequest, Lease


class SyncLease:
    """This client's lease, from the start of a `with` block to its end.

    A block can't be interrupted from outside. Once the lease has lapsed, every call that places an order raises
    `LeaseExpired` until the block is left, and the end of the block raises it too.

    Args:
        loop: The loop that renews the lease.
        exchange: The exchange of the client.
        ttl_s: How long the connector waits for a heartbeat.
        on_lapse: Called instead, in the background thread; orders are then placed as before.
        claim: The right to trade that is held with the lease.
    """

    def __init__(
        self,
        loop: LoopThread,
        exchange: RemoteExchange,
        ttl_s: float,
        on_lapse: OnLapse | None,
        claim: ClaimRequest | None = None,
    ) -> None:
        self._loop = loop
        self._lapse: LeaseExpired | None = None
        self._lease = exchange.lease(ttl_s, on_lapse=on_lapse or self._remember, claim=claim)
        self._active = False

    @property
    def latest(self) -> Lease:
        """The connector's last report on the lease."""
        return self._lease.latest

    @property
    def held(self) -> bool:
        """Whether the connector confirmed it within the last ttl_s, and it did not lapse in this block."""
        return self._active and self.lost is None and self._lease.held

    @property
    def lost(self) -> Exception | None:
        """Why the lease was lost; None while it is held, and after the block."""
        return (self._lapse or self._lease.failure) if self._active else None

    def __enter__(self) -> Self:
        self._lapse = None
        self._loop.run(self._lease.__aenter__())
        self._active = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lapse, self._active = self._lapse, False
        self._loop.run(self._lease.__aexit__(kind, error, trace))
        if lapse is not None and kind is None:
            raise lapse

    def _remember(self, lapse: LeaseExpired) -> None:
        self._lapse = lapse
