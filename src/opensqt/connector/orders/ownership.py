"""Ownership of open orders: every order of a client that is in flight or that the venue still works.

An order enters when it is admitted, before it is sent. It leaves only when the venue reports that it was refused, is
absent, or has ended. What an earlier run placed is found among the venue's open orders: the journal knows its client.
So the memory that this takes is bounded by the orders that are open, not by time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from opensqt.connector.orders.journal import JournalError
from opensqt.connector.tasks import Tasks
from opensqt.model.errors import ExchangeError, RequestError
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Batch
from opensqt.telemetry import logging


class OwnerLookup(Protocol):
    """The journal's record of the client that asked for an order, by the order's client id."""

    async def __call__(self, client_order_ids: Iterable[str], *, absent: bool = True) -> dict[str, str]:
        """Leave out what no client of ours asked for and, unless *absent*, what was proven absent."""
        ...


_log = logging.get_logger("connector.owned")
_SNAPSHOT_TIMEOUT_S = 5.0
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    """The client and the symbol of orders whose placing was answered: one object for all that have both in common."""

    client: str
    symbol: str


@dataclass(slots=True)
class _InFlight:
    """An order that was admitted and whose placing is not answered."""

    client: str
    symbol: str
    snapshots: int
    """How many had been read when it was admitted."""
    listed: bool = False
    """A snapshot showed it as open."""
    ended: bool = False
    """The stream reported its end."""
    streamed: Order | None = None
    """What the stream last reported of it: the proof that it exists."""


_Owned = _Acknowledged | _InFlight
_acknowledged = lru_cache(maxsize=1024)(_Acknowledged)


class OrderOwnership:
    """The open orders by client.

    Args:
        exchange: Its orders stream reports the outcome of each.
        owners: Looks the client of an order up in the journal.
        tasks: Owns the reader of that stream.
    """

    def __init__(self, exchange: Exchange, owners: OwnerLookup, tasks: Tasks) -> None:
        self._exchange = exchange
        self._owners = owners
        self._tasks = tasks
        self.tracked: dict[str, _Owned] = {}
        """The own orders that are open or in flight, by client order id."""
        self._open_counts: Counter[str] = Counter()
        self.snapshots = 0
        """How many snapshots were read."""
        self._first_snapshot = asyncio.Event()

    def __len__(self) -> int:
        return len(self.tracked)

    def open_count(self, client: str) -> int:
        """How many orders of a client are open or in flight."""
        return self._open_counts[client]

    def of(self, client: str) -> list[OrderRef]:
        """Return a client's orders that are open or in flight, oldest first."""
        return [_named(name, own) for name, own in self.tracked.items() if own.client == client]

    def settled(self, client: str) -> list[OrderRef]:
        """Return a client's orders that the venue is known to work, oldest first; these can be canceled."""
        return [
            _named(name, own)
            for name, own in self.tracked.items()
            if own.client == client and isinstance(own, _Acknowledged)
        ]

    def known_open(self, symbol: str = "") -> list[OrderRef]:
        """Return the orders of a symbol, or of all, that were acknowledged and did not end; oldest first."""
        return [
            _named(name, own)
            for name, own in self.tracked.items()
            if isinstance(own, _Acknowledged) and symbol in ("", own.symbol)
        ]

    async def start(self) -> None:
        """Read the exchange's orders stream from now on, and wait a little for its first snapshot."""
        self._tasks.spawn("own-orders", self._read_stream(), shared=True)
        try:
            async with asyncio.timeout(_SNAPSHOT_TIMEOUT_S):
                await self._first_snapshot.wait()
        except TimeoutError:
            _log.warning("the exchange does not report which orders are open; orders of an earlier run are not counted")

    async def among(self, orders: Iterable[Order], client: str) -> list[OrderRef]:
        """Return those of *orders* that a client asked for."""
        named = {order.client_order_id: order for order in orders if order.client_order_id}
        owners = {name: own.client for name, own in self.tracked.items() if name in named}
        owners |= await self._owners(named.keys() - owners.keys())
        return [_ref(order) for name, order in named.items() if owners.get(name) == client]

    async def owned_ids(self, client: str, client_order_ids: Collection[str]) -> set[str]:
        """Return those of the ids whose orders a client placed, open or not.

        To have asked in vain for an id is not enough: the order that has it is then somebody else's.
        """
        asked = set(client_order_ids)
        own = {name for name in asked if (order := self.tracked.get(name)) is not None and order.client == client}
        owners = await self._owners(asked - own, absent=False)
        return own | {name for name, owner in owners.items() if owner == client}

    # What the order manager reports.

    def admit(self, client: str, request: OrderRequest) -> None:
        """Count an order that is about to be sent."""
        name = request.client_order_id
        if name not in self.tracked:
            self._add(name, _InFlight(client, request.symbol, self.snapshots))

    def withdraw(self, client_order_id: str, owner: str = "") -> None:
        """Take back an order that was admitted but not sent; where its *owner* has it open from before, it stays."""
        own = self.tracked.get(client_order_id)
        if not isinstance(own, _InFlight):
            return
        self._drop(client_order_id)
        if owner and own.listed and not own.ended:
            self._add(client_order_id, _acknowledged(owner, own.symbol))

    def settle(self, client_order_id: str, outcome: Order | ExchangeError) -> None:
        """Apply the outcome of an admitted order."""
        own = self.tracked.get(client_order_id)
        if own is None:
            return
        ended = isinstance(own, _InFlight) and own.ended
        if not isinstance(outcome, Order) or outcome.status.is_closed or ended:
            self._drop(client_order_id)
            return
        if isinstance(own, _Acknowledged):
            return
        # The exchange keeps the id with the order: its text is kept here, too, so that the request's goes.
        name = (own.streamed or outcome).client_order_id
        del self.tracked[client_order_id]
        self.tracked[name if name == client_order_id else client_order_id] = _acknowledged(own.client, own.symbol)
        if own.snapshots != self.snapshots:
            # A gap in between may have swallowed its end; what the exchange holds open now shows it.
            self._tasks.spawn("own-orders-again", self.read_snapshot(), shared=True)

    def end(self, client_order_id: str) -> None:
        """Apply the venue's report that an order is not open any more."""
        own = self.tracked.get(client_order_id)
        if own is None:
            return
        if isinstance(own, _InFlight):
            own.ended = True
        else:
            self._drop(client_order_id)

    def last_streamed(self, client_order_id: str) -> Order | None:
        """Return what the stream reported of an order whose placing is not answered yet, or None."""
        own = self.tracked.get(client_order_id)
        return own.streamed if isinstance(own, _InFlight) else None

    # What the stream reports.

    async def _read_stream(self) -> None:
        while True:
            try:
                stream = self._exchange.subscribe_orders()
                try:
                    async for batch in stream:
                        await self._handle_batch(batch)
                finally:
                    await stream.aclose()
                reason = "it ended"
            except RequestError as unsupported:
                # There is no account, so there are no orders.
                _log.info("no orders to follow", reason=str(unsupported))
                self._first_snapshot.set()
                return
            except (ExchangeError, JournalError) as error:
                reason = str(error)
            _log.info("the orders stream is read again", reason=reason)
            await asyncio.sleep(_RETRY_S)

    async def read_snapshot(self) -> None:
        """Read one snapshot of the orders stream, and drop what it shows as ended."""
        stream = self._exchange.subscribe_orders()
        try:
            # What it reports after that is left to `_read_stream`, which reads what ends in the meantime.
            self._compare(await anext(aiter(stream)))
        except (ExchangeError, JournalError) as error:
            # The stream itself is broken: `_read_stream` reads a snapshot when it is back.
            _log.info("open orders not read", reason=str(error))
        finally:
            await stream.aclose()

    async def _handle_batch(self, batch: Batch[OrderUpdate]) -> None:
        for update in batch.updates:
            own = self.tracked.get(update.order.client_order_id)
            if isinstance(own, _InFlight):
                own.streamed = update.order
        if not batch.snapshot:
            for update in batch.updates:
                if update.order.status.is_closed:
                    self.end(update.order.client_order_id)
            return
        self.snapshots += 1
        listed = self._compare(batch)
        for name, client in (await self._owners(listed.keys() - self.tracked.keys())).items():
            if name not in self.tracked:
                self._add(name, _acknowledged(client, listed[name].symbol))
        self._first_snapshot.set()

    def _compare(self, batch: Batch[OrderUpdate]) -> dict[str, Order]:
        """Drop what a snapshot does not hold any more, and return what it holds."""
        listed = {one.order.client_order_id: one.order for one in batch.updates if one.order.client_order_id}
        # Each acknowledged order was in the exchange's own books before we heard of it, so a snapshot without it is
        # the report of its end. Of one in flight it says nothing.
        for name, own in list(self.tracked.items()):
            if isinstance(own, _InFlight):
                own.listed = own.listed or name in listed
            elif name not in listed:
                self._drop(name)
        return listed

    def _add(self, client_order_id: str, own: _Owned) -> None:
        self.tracked[client_order_id] = own
        self._open_counts[own.client] += 1

    def _drop(self, client_order_id: str) -> None:
        own = self.tracked.pop(client_order_id)
        self._open_counts[own.client] -= 1
        if not self._open_counts[own.client]:
            del self._open_counts[own.client]


def _named(client_order_id: str, own: _Owned) -> OrderRef:
    return OrderRef(symbol=own.symbol, client_order_id=client_order_id)


def _ref(order: Order) -> OrderRef:
    return OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)
