"""The order gate of one call: closed where trading is halted, and for good once the call has ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from opensqt.connector.orders.halts import Halts
from opensqt.model.errors import ExchangeError, Unreachable


class OrderCall:
    """One call that places or amends orders, and which of them have begun to be sent."""

    def __init__(self) -> None:
        self.ended = False
        """Whether its caller was answered or has gone."""
        self.sent = set[str]()
        """The ids of what has begun to be sent."""
        self._watchers: dict[object, Callable[[], None]] = {}

    def end(self) -> None:
        """Let nothing more of the call be sent."""
        self.ended = True
        for closed in list(self._watchers.values()):
            closed()

    def never_sent(self, symbol: str) -> Unreachable:
        """Return what is answered for an order that was still waiting when the call ended."""
        return Unreachable("the call ended while this waited to be sent; it was never sent", symbol=symbol)

    @contextmanager
    def watch(self, closed: Callable[[], None]) -> Iterator[None]:
        """Call *closed* when the call ends, while the block runs."""
        key = object()
        self._watchers[key] = closed
        try:
            yield
        finally:
            del self._watchers[key]


class CallGate:
    """The `OrderGate` of what one call sends.

    Args:
        call: Closes the gate when it ends.
        halts: Close it for their symbols; None for what is sent though trading is halted.
    """

    def __init__(self, call: OrderCall, halts: Halts | None) -> None:
        self._call = call
        self._halts = halts

    def refusal(self, symbol: str) -> ExchangeError | None:
        """Return why an order of a symbol may not be sent now, None when it may."""
        if self._call.ended:
            return self._call.never_sent(symbol)
        return None if self._halts is None else self._halts.refusal(symbol)

    @contextmanager
    def watch(self, closed: Callable[[], None]) -> Iterator[None]:
        """Call *closed* each time that the gate closes, while the block runs."""
        with self._call.watch(closed):
            if self._halts is None:
                yield
                return
            with self._halts.watch(closed):
                yield

    def note_sent(self, ids: Collection[str]) -> None:
        """Take in that these orders begin to be sent."""
        self._call.sent.update(ids)

    def note_returned(self, ids: Collection[str]) -> None:
        """Take in that the venue is proven to have done nothing with these orders, which may be sent once more."""
        self._call.sent.difference_update(ids)
