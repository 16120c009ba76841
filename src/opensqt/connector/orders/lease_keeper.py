"""Keeps the clients' leases: beats and time come in, the journal remembers, and what an end means is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.orders.cancel import CancelOut
from opensqt.connector.orders.elapsed import elapsed
from opensqt.connector.orders.journal import Journal, JournalError, LeaseRecord
from opensqt.connector.orders.leases import Leases
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.tasks import Tasks
from opensqt.model.clock import now_ms
from opensqt.model.errors import Unreachable
from opensqt.model.exchange import Exchange
from opensqt.model.venue import Check, Lease
from opensqt.telemetry import logging

_log = logging.get_logger("connector.leases")


class LeaseKeeper:
    """All leases of one connector.

    Args:
        leases: Their rules.
        exchange: Where the orders are.
        manager: Knows the orders of each client.
        journal: Remembers the leases over a restart.
        tasks: Owns the watch and the canceling.
        metrics: Counts the leases.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        leases: Leases,
        exchange: Exchange,
        manager: OrderManager,
        journal: Journal,
        tasks: Tasks,
        metrics: ConnectorMetrics,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._exchange = exchange
        self.manager = manager
        self._journal = journal
        self._tasks = tasks
        self._clock_s = clock_s
        self._canceling: dict[str, CancelOut] = {}
        self._written: dict[str, LeaseRecord] = {}
        """What the journal is known to hold."""
        self._watching: asyncio.Task[None] | None = None
        self._metrics = metrics
        self.ended = 0
        """How many have run out since the start."""
        metrics.watch_leases(held=lambda: leases.held, canceling=lambda: len(self._canceling))

    async def start(self) -> None:
        """Take over the leases of an earlier run, finish its canceling, and watch from now on."""
        records = await self._journal.leases()
        self._leases.restore(records)
        self._written.update((one.client, one) for one in records)
        for client in self._leases.canceling:
            self._cancel_out(client)
        self._watching = self._tasks.spawn("leases", self._watch(), forever=True)

    def suspend(self) -> None:
        """Let no lease end from now on: whose heartbeats are refused must not lose its orders for it.

        What goes on is the canceling for leases that have ended. The next run gives each that is held its whole ttl.
        """
        if self._watching is not None:
            self._tasks.dismiss(self._watching)

    async def beat(self, client: str, ttl_ms: int, number: int = 0) -> Lease:
        """Take, renew or give up (0) a client's lease; *number* is that of the lease that the client knows of.

        Raises:
            InvalidRequest: The ttl is out of its bounds.
            Unreachable: The journal can't be written, so that a restart would not know of the lease.
        """
        lapsed = self._leases.renew(client, ttl_ms, number=number, now_ms=now_ms())
        if lapsed:
            _log.warning("lease taken again after it had ended", client=client, ttl_ms=ttl_ms)
        # Not held against the lease before this beat: writing that one down may have failed.
        if self._leases.record(client) != self._written.get(client):
            try:
                await self._write(client)
            except JournalError as error:
                raise Unreachable(f"the lease can't be written down, and may not outlast a restart: {error}") from None
        left_s = self._leases.left_s(client)
        return Lease(
            client=client,
            expires_ms=0 if left_s is None else now_ms() + round(left_s * 1000),
            lapsed=lapsed,
            open_orders=self.manager.own.open_count(client),
            number=self._leases.number(client),
        )

    def checks(self) -> list[Check]:
        """Return a check for each client whose lease ended, with what is being done; none makes health fail."""
        checks = []
        for client, canceling in self._canceling.items():
            orders = self.manager.own.open_count(client)
            reason = f"it ended; open orders being canceled: {orders}"
            if orders and canceling.trouble:
                reason += f" ({canceling.trouble})"
            checks.append(Check(name=f"lease:{client}", ok=True, reason=reason))
        return checks

    async def _watch(self) -> None:
        async for passed_s in elapsed(self._clock_s):
            for client in self._leases.pass_time(passed_s):
                await self._end(client)

    async def _end(self, client: str) -> None:
        self.ended += 1
        self._metrics.count_ended_lease()
        orders = self.manager.own.open_count(client)
        _log.warning("lease ended; its client's orders are canceled", client=client, orders=orders)
        self._cancel_out(client)
        await self._try_to_write(client)

    def _cancel_out(self, client: str) -> None:
        if client in self._canceling:
            # It ended again before what was left of the last time was gone: that goes on.
            return
        self._canceling[client] = CancelOut(client, self.manager, self._exchange)
        self._tasks.spawn(f"canceling:{client}", self._until_canceled(client), shared=True)

    async def _until_canceled(self, client: str) -> None:
        await self._canceling[client].run()
        del self._canceling[client]
        self._leases.canceled(client)
        _log.info("no order of the ended lease is left", client=client)
        await self._try_to_write(client)

    async def _try_to_write(self, client: str) -> None:
        try:
            await self._write(client)
        except JournalError as error:
            # Until the next beat writes it, a restart does it all again: a lease that it takes for held ends anew.
            _log.error("lease not written down", client=client, reason=str(error))

    async def _write(self, client: str) -> None:
        record = self._leases.record(client)
        if record is None:
            await self._journal.drop_lease(client)
            self._written.pop(client, None)
        else:
            await self._journal.keep_lease(record)
            self._written[client] = record
