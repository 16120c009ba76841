"""The gate that orders pass as they are sent: closed while trading is halted, also for orders that are queued.

The connector sets the gate for each placing. An adapter checks it right before it sends a request that places orders;
after that the orders of the request are in flight and the gate does not apply to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

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


class Departure:
    """One request that places orders, until it is sent."""

    def __init__(self, gate: OrderGate, symbols: Iterable[str]) -> None:
        self._gate = gate
        self._symbols = frozenset(symbols)
        self._left = False

    @property
    def refusal(self) -> ExchangeError | None:
        """Why the request must not be sent now; None when it may be, or was sent."""
        if self._left:
            return None
        return next((reason for one in self._symbols if (reason := self._gate.refusal(one)) is not None), None)

    def leave(self) -> None:
        """Mark the request as sent.

        Raises:
            ExchangeError: The gate is closed; nothing was sent.
        """
        if (refusal := self.refusal) is not None:
            raise refusal
        self._left = True

    def watch(self, closed: Callable[[], None]) -> AbstractContextManager[None]:
        """Call *closed* each time that the gate closes, while the block runs."""
        return nullcontext() if self._left else self._gate.watch(closed)


_gate: ContextVar[OrderGate | None] = ContextVar("order_gate", default=None)
_departure: ContextVar[Departure | None] = ContextVar("departure", default=None)


def through(gate: OrderGate) -> AbstractContextManager[None]:
    """Apply *gate* to the orders that are placed in the block."""
    return Scoped(_gate, gate)


@contextmanager
def departing(symbols: Iterable[str]) -> Iterator[None]:
    """Mark the first request in the block as one that places orders of *symbols* and must pass the gate."""
    gate = _gate.get()
    token = _departure.set(None if gate is None else Departure(gate, symbols))
    try:
        yield
    finally:
        _departure.reset(token)


def departure() -> Departure | None:
    """Return the departure of the current request, None where there is no gate."""
    return _departure.get()
