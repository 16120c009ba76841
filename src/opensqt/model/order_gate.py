"""The gate that orders pass as they are sent: closed while trading is halted, also for orders that are queued.

The connector sets the gate for each call. An adapter checks it while a request that places or amends orders waits, and
right before its first byte is written; after that its orders are in flight and the gate does not apply to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from opensqt.model.errors import ExchangeError
from opensqt.model.scoped import Scoped


class OrderGate(Protocol):
    """Decides which orders may be sent now."""

    def refusal(self, symbol: str) -> ExchangeError | None:
        """Return the error for new orders of a symbol, None when they may be sent now."""
        ...

    def watch(self, closed: Callable[[], None]) -> AbstractContextManager[None]:
        """Call *closed* each time that the gate closes for a symbol, while the block runs."""
        ...

    def note_sent(self, ids: Collection[str]) -> None:
        """Take in that these orders, or amendments, begin to be sent."""
        ...

    def note_returned(self, ids: Collection[str]) -> None:
        """Take in that the venue is proven to have done nothing with what was sent; it may be sent once more."""
        ...


@runtime_checkable
class PassesOrderGate(Protocol):
    """An exchange that lets everything pass the gate as it begins to be sent: what did not pass was never sent."""

    passes_order_gate: bool


class Departure:
    """One request that places or amends orders, until it is sent."""

    def __init__(self, gate: OrderGate, symbols: Iterable[str], ids: Iterable[str]) -> None:
        self._gate = gate
        self._symbols = frozenset(symbols)
        self._ids = tuple(ids)
        self._left = False

    @property
    def left(self) -> bool:
        """Whether the request has begun to be sent."""
        return self._left

    @property
    def refusal(self) -> ExchangeError | None:
        """Why the request must not be sent now; None when it may be, or was sent."""
        if self._left:
            return None
        return next((reason for one in self._symbols if (reason := self._gate.refusal(one)) is not None), None)

    def leave(self) -> None:
        """Mark the request as one that begins to be sent.

        Raises:
            ExchangeError: The gate is closed; nothing was sent.
        """
        if (refusal := self.refusal) is not None:
            raise refusal
        self._left = True
        self._gate.note_sent(self._ids)

    def take_back(self) -> None:
        """Mark the request as one that is proven to have done nothing: before it is sent again it passes the gate."""
        self._left = False
        self._gate.note_returned(self._ids)

    def watch(self, closed: Callable[[], None]) -> AbstractContextManager[None]:
        """Call *closed* each time that the gate closes, while the block runs."""
        return nullcontext() if self._left else self._gate.watch(closed)


_gate: ContextVar[OrderGate | None] = ContextVar("order_gate", default=None)
_departure: ContextVar[Departure | None] = ContextVar("departure", default=None)


def through(gate: OrderGate) -> AbstractContextManager[None]:
    """Apply *gate* to the orders that are placed in the block."""
    return Scoped(_gate, gate)


@contextmanager
def departing(symbols: Iterable[str], ids: Iterable[str] = ()) -> Iterator[None]:
    """Let the first request in the block that is no query pass the gate.

    Args:
        symbols: Of the orders that it places or amends.
        ids: The client order ids of what it places, or the id of the amendment.
    """
    gate = _gate.get()
    token = _departure.set(None if gate is None else Departure(gate, symbols, ids))
    try:
        yield
    finally:
        _departure.reset(token)


def departure() -> Departure | None:
    """Return the departure of the current request, None where there is no gate. It does not concern queries."""
    return _departure.get()
