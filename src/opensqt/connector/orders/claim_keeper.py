"""Keeps the claims of trading: heartbeats and time come in, the journal remembers, what is on its way is awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from opensqt.connector.orders.claims import Claims
from opensqt.connector.orders.elapsed import elapsed
from opensqt.connector.orders.journal import ClaimRecord, Journal, JournalError
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.tasks import Tasks
from opensqt.model.clock import now_ms
from opensqt.model.errors import OutcomeUnknown, Unreachable
from opensqt.model.venue import ClaimRequest, TradingClaim
from opensqt.telemetry import logging

_log = logging.get_logger("connector.claims")
SETTLED_WITHIN_S = 5.0
"""How long a change of the holder waits for the orders that the one before has on their way."""


class ClaimKeeper:
    """All claims of one connector.

    Args:
        claims: Their rules.
        manager: Knows what is on its way.
        journal: Remembers the claims over a restart.
        tasks: Owns the watch.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        claims: Claims,
        manager: OrderManager,
        journal: Journal,
        tasks: Tasks,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = claims
        self._manager = manager
        self._journal = journal
        self._tasks = tasks
        self._clock_s = clock_s
        self._written: dict[tuple[str, str], ClaimRecord] = {}
        """What the journal is known to hold."""
        self._unsettled: set[tuple[str, str]] = set()
        """Claims whose holder was not answered yet, for the one before has orders on their way."""
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over the claims of an earlier run, and watch from now on."""
        records = await self._journal.claims()
        self.rules.restore(records)
        self._written.update(((one.symbol, one.strategy), one) for one in records)
        self._watching = self._tasks.spawn("claims", self._watch(), forever=True)

    def suspend(self) -> None:
        """Let no claim end from now on: whoever holds it is not heard any more."""
        if self._watching is not None:
            self._tasks.dismiss(self._watching)

    async def beat(self, asked: ClaimRequest, client: str, ttl_ms: int) -> TradingClaim:
        """Take, renew or give up (0) a claim.

        A new holder is answered when no order of the one before is on its way any more.

        Raises:
            InvalidRequest: A field is out of its bounds.
            TradingClaimed: Another program holds it, or did since this one held it.
            OutcomeUnknown: Orders of the holder before are on their way still; ask again.
            Unreachable: The journal can't be written, so that a restart would not know of the claim.
        """
        key = (asked.symbol, asked.strategy)
        before = self._written.get(key)
        record = self.rules.take(asked, client, ttl_ms=ttl_ms, now_ms=now_ms())
        if record != before:
            try:
                await self._write(record)
            except JournalError as error:
                raise Unreachable(f"the claim can't be written down, and may not outlast a restart: {error}") from None
        if before is None or record.number != before.number:
            _log.warning(
                "trading claimed",
                symbol=record.symbol,
                strategy=record.strategy,
                holder=record.description,
                number=record.number,
                before=before.description if before is not None else "",
            )
            self._unsettled.add(key)
        if ttl_ms and key in self._unsettled:
            await self._until_settled(record)
            self._unsettled.discard(key)
        return _as_claim(record, ttl_ms / 1000)

    def standing(self) -> tuple[TradingClaim, ...]:
        """Return every claim that is held."""
        return tuple(_as_claim(record, left_s) for record, left_s in self.rules.held)

    async def _until_settled(self, record: ClaimRecord) -> None:
        """Wait for the orders that were let through under an earlier number."""
        pending = [
            one.outcome for one in self._manager.in_flight() if record.includes(one.ref.symbol, one.ref.client_order_id)
        ]
        if pending and (await asyncio.wait(pending, timeout=SETTLED_WITHIN_S))[1]:
            raise OutcomeUnknown(
                f"{record.symbol} by strategy {record.strategy}: orders of the program before are of unknown outcome;"
                " send the heartbeat again",
                symbol=record.symbol,
            )

    async def _watch(self) -> None:
        async for passed_s in elapsed(self._clock_s):
            for record in self.rules.pass_time(passed_s):
                _log.warning(
                    "a claim was not renewed and has ended",
                    symbol=record.symbol,
                    strategy=record.strategy,
                    holder=record.description,
                )
                try:
                    await self._write(record)
                except JournalError as error:
                    # A restart would take it for held, for its time once more.
                    _log.error("the end of a claim was not written down", symbol=record.symbol, reason=str(error))

    async def _write(self, record: ClaimRecord) -> None:
        await self._journal.keep_claim(record)
        self._written[record.symbol, record.strategy] = record


def _as_claim(record: ClaimRecord, left_s: float) -> TradingClaim:
    return TradingClaim(
        symbol=record.symbol,
        strategy=record.strategy,
        client=record.client,
        description=record.description,
        number=record.number,
        since_ms=record.since_ms,
        expires_ms=now_ms() + round(left_s * 1000) if left_s else 0,
    )
