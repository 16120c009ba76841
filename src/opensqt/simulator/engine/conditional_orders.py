"""The requests that dialects make for conditional orders."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opensqt.simulator.engine.conditional import ConditionalStatus, NewConditional, SimConditional, TriggerBy
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.engine.state import VenueState
from opensqt.simulator.engine.triggers import ConditionalBook


class ConditionalOrders:
    """Place, amend, cancel and query conditional orders; each request publishes its events before it returns.

    Args:
        state: The venue.
        book: The conditional orders.
        catch_up: Advances the venue to the time of the request.
        finish: Settles what the request triggers, and publishes.
    """

    def __init__(
        self, state: VenueState, book: ConditionalBook, catch_up: Callable[[], None], finish: Callable[[], None]
    ) -> None:
        self._state = state
        self._book = book
        self._catch_up = catch_up
        self._finish = finish

    def check(self, account: str, wanted: NewConditional, *, refuse_met: bool = False) -> None:
        """Raise `Refused` as `place` would, and do nothing else."""
        self._catch_up()
        self._book.check(self._state.accounts[account], wanted)
        if refuse_met:
            self._book.check_not_met(wanted)

    def place(self, account: str, wanted: NewConditional, *, refuse_met: bool = False) -> SimConditional:
        """Place a conditional order.

        Args:
            account: API key.
            wanted: The order.
            refuse_met: Refuse it when its trigger is met already; otherwise it triggers at once.

        Raises:
            Refused: Nothing was done; see its reason.
        """
        self.check(account, wanted, refuse_met=refuse_met)
        placed = self._book.add(self._state.accounts[account], wanted)
        self._finish()
        return self._book.find(account, conditional_id=placed.conditional_id)

    def amend(
        self, account: str, conditional_id: str, wanted: NewConditional, *, refuse_met: bool = False
    ) -> SimConditional:
        """Let a waiting one be for *wanted* from now on.

        Raises:
            Refused: UNKNOWN_ORDER, ORDER_CLOSED, or as for `place`.
        """
        self._catch_up()
        found = self._waiting(account, conditional_id)
        self._book.check_amended(self._state.accounts[account], found, wanted)
        if refuse_met:
            self._book.check_not_met(wanted)
        self._book.amend(found, wanted)
        self._finish()
        return self._book.find(account, conditional_id=conditional_id)

    def cancel(self, account: str, *, conditional_id: str = "", client_id: str = "") -> SimConditional:
        """Cancel one that waits.

        Raises:
            Refused: UNKNOWN_ORDER, or ORDER_CLOSED when it does not wait any longer.
        """
        self._catch_up()
        found = self._book.find(account, conditional_id=conditional_id, client_id=client_id)
        canceled = self._book.end(self._waiting(account, found.conditional_id), ConditionalStatus.CANCELED)
        self._finish()
        return canceled

    def cancel_all(self, account: str, symbol: str | None = None) -> list[SimConditional]:
        """Cancel every one that waits, of a symbol or of all; return them, oldest first."""
        self._catch_up()
        if symbol is not None:
            self._state.instrument(symbol)
        found = self._book.listed(account, symbol, open_only=True)
        canceled = [self._book.end(one, ConditionalStatus.CANCELED) for one in found]
        self._finish()
        return canceled

    def find(self, account: str, *, conditional_id: str = "", client_id: str = "") -> SimConditional:
        """Return one, waiting or not.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        return self._book.find(account, conditional_id=conditional_id, client_id=client_id)

    def waiting(self, account: str, symbol: str | None = None) -> list[SimConditional]:
        """Return those that wait, oldest first."""
        if symbol is not None:
            self._state.instrument(symbol)
        return self._book.listed(account, symbol, open_only=True)

    def listed(self, account: str, symbol: str | None = None) -> list[SimConditional]:
        """Return those that ever were, oldest first."""
        return self._book.listed(account, symbol)

    def price(self, symbol: str, by: TriggerBy) -> Decimal:
        """Return the price that a trigger watches, as it is now."""
        self._state.instrument(symbol)
        return self._book.price(symbol, by)

    def _waiting(self, account: str, conditional_id: str) -> SimConditional:
        found = self._book.find(account, conditional_id=conditional_id)
        if not found.status.is_open:
            raise Refused(RefusalReason.ORDER_CLOSED, f"conditional order {conditional_id}: it is {found.status}")
        return found
