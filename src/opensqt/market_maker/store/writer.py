"""The task that commits the grid's changes, in order and without end, and releases what had to wait for them.

A database that is slow or away is not one that failed. Until the changes are stored nothing is sent that depends on
them, and the grid places nothing new; cancels and queries don't wait. Meanwhile the state merges what changes, so that
nothing grows with the length of an outage.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from opensqt.market_maker.orders.account_changes import merged_accounting
from opensqt.market_maker.orders.events import Place
from opensqt.market_maker.orders.stored import Changes
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ExchangeError
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.store")

SLOW_S = 3.0
"""Seconds after which a commit that is not done counts as an outage, and an order that waited for it is not sent."""
KEPT_S = 60.0
"""Seconds for which commits are kept, to be written again after the connection was lost: the server that answers then
may be a copy that has not received the last ones."""
KEPT_AT_LEAST = 200
"""Commits that are kept however old they are."""
ATTEMPT_S = 15.0
"""Seconds after which a commit is given up and repeated over a new connection."""


class StoreWriter:
    """Commits what a grid changed, one transaction after the other.

    Args:
        store: Holds the grid.
        symbol: The symbol of the grid.
        take_changes: Returns the changes since its last call.
        send: Called with the orders whose intents are stored.
        abandon: Called with the orders that waited too long; they are not sent.
        retry_cap_s: The longest wait between two attempts.
    """

    def __init__(
        self,
        store: Store,
        symbol: str,
        *,
        take_changes: Callable[[], Changes],
        send: Callable[[Place], None],
        abandon: Callable[[Place], None],
        retry_cap_s: float = 2.0,
    ) -> None:
        self._store = store
        self._symbol = symbol
        self._take_changes = take_changes
        self._send = send
        self._abandon = abandon
        self._backoff = Backoff(0.1, retry_cap_s)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._waiting: list[tuple[float, Place]] = []
        self._lost_connections = store.lost_connections
        self._kept: deque[tuple[float, Changes]] = deque()
        self._began: float | None = None
        self._error = ""

    def submit(self, places: Sequence[Place], now: float) -> None:
        """Have the changes of the grid committed, and then the orders sent."""
        self._waiting += [(now, place) for place in places]
        self._idle.clear()
        self._wake.set()

    def problem(self, now: float) -> str:
        """Return why nothing new is placed: the database is away or slow; empty while it is neither."""
        if self._began is None or (not self._error and now - self._began < SLOW_S):
            return ""
        return not_writable(self._error or "it does not respond")

    async def flush(self, within_s: float) -> bool:
        """Wait until everything is stored, and return whether it is."""
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Commit for as long as the grid lives.

        Raises:
            TradingClaimed: Another market maker has taken the grid meanwhile.
            SQLAlchemyError: The database refuses the changes themselves; no repetition helps.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            changes, waiting = self._take_changes(), self._waiting
            self._waiting = []
            if changes:
                await self._commit(changes)
            now = time.monotonic()
            for since, place in waiting:
                (self._send if now - since < SLOW_S else self._abandon)(place)
            if not self._wake.is_set():
                self._idle.set()

    async def _commit(self, changes: Changes) -> None:
        self._began = time.monotonic()
        # A query or the hold of the grids may have met the loss: then this commit succeeds at once, on an older copy.
        lost = self._store.lost_connections
        repeated = self._store.is_remote and lost != self._lost_connections
        wanted = merged([*(kept for _, kept in self._kept), changes]) if repeated else changes
        while True:
            try:
                async with asyncio.timeout(ATTEMPT_S):
                    await self._store.commit(self._symbol, wanted, repeated=repeated)
                break
            except ExchangeError:
                raise
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if isinstance(error, IntegrityError | DataError | ProgrammingError):
                    raise
                await self._wait_for_next(error)
            # The attempt may have been stored, and only its response lost.
            repeated = True
            if self._store.is_remote:
                wanted = merged([*(kept for _, kept in self._kept), changes])
        self._lost_connections = lost
        if self._store.is_remote:
            self._keep(changes)
        if self._error:
            _log.warning("database writable again", after_s=round(time.monotonic() - self._began, 1))
        self._began, self._error = None, ""
        self._backoff.reset()

    def _keep(self, changes: Changes) -> None:
        now = time.monotonic()
        self._kept.append((now, changes))
        while len(self._kept) > KEPT_AT_LEAST and self._kept[0][0] < now - KEPT_S:
            self._kept.popleft()

    async def _wait_for_next(self, error: Exception) -> None:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        text = redact(" ".join(str(cause).split()) or type(cause).__name__)
        if not self._error:
            _log.error("database not writable: entries are cancelled, nothing new is placed", error=text)
        self._error = text
        await asyncio.sleep(self._backoff.next_s())


def not_writable(why: str) -> str:
    """Return the problem of a database that can't be written; empty without a reason."""
    text = "database: not writable, so entries are cancelled and nothing is placed until it is again"
    return f"{text}: {why}" if why else ""


def merged(changes: Sequence[Changes]) -> Changes:
    """Return several changes as one: of each row the newest, of the fills all."""
    headers = [one.header for one in changes if one.header is not None]
    return Changes(
        header=headers[-1] if headers else None,
        slots=tuple({slot.level: slot for one in changes for slot in one.slots}.values()),
        orders=tuple({order.client_order_id: order for one in changes for order in one.orders}.values()),
        fills=tuple(fill for one in changes for fill in one.fills),
        accounting=merged_accounting([one.accounting for one in changes]),
        risk=next((one.risk for one in reversed(changes) if one.risk is not None), None),
    )
