"""A slot: one level of the grid with at most one live order, and the one table of how its state may change."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from opensqt.model.immutable import immutable
from opensqt.model.order import Order, OrderStatus, Side

_NOTHING = Decimal(0)


class SlotState(StrEnum):
    """Whether an order may be placed in a slot, is awaited, or may be cancelled."""

    FREE = "FREE"
    PENDING = "PENDING"
    """Sent, and not acknowledged by the venue yet."""
    LOCKED = "LOCKED"
    """The venue works the order, or its last fills are not counted yet."""


class SlotEvent(StrEnum):
    """An event of a slot's order."""

    PLACE = "PLACE"
    """An intent was made."""
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    """The outcome of a request is not known."""
    ACKNOWLEDGE = "ACKNOWLEDGE"
    """The venue works the order."""
    REFUSE = "REFUSE"
    """Proven: the order never came to be."""
    SETTLE = "SETTLE"
    """The order is closed and all its fills are counted."""


TRANSITIONS: dict[tuple[SlotState, SlotEvent], SlotState] = {
    (SlotState.FREE, SlotEvent.PLACE): SlotState.PENDING,
    (SlotState.FREE, SlotEvent.ACKNOWLEDGE): SlotState.LOCKED,  # an order of this grid, found at the venue
    (SlotState.PENDING, SlotEvent.OUTCOME_UNKNOWN): SlotState.PENDING,
    (SlotState.PENDING, SlotEvent.ACKNOWLEDGE): SlotState.LOCKED,
    (SlotState.PENDING, SlotEvent.REFUSE): SlotState.FREE,
    (SlotState.PENDING, SlotEvent.SETTLE): SlotState.FREE,
    (SlotState.LOCKED, SlotEvent.OUTCOME_UNKNOWN): SlotState.LOCKED,
    (SlotState.LOCKED, SlotEvent.ACKNOWLEDGE): SlotState.LOCKED,
    (SlotState.LOCKED, SlotEvent.SETTLE): SlotState.FREE,
}
"""Any other transition is illegal. Drawn in docs/grid.md; tested for every pair."""


class IllegalTransition(Exception):
    """A slot was given an event that its state forbids: a defect of this program, never of the venue."""


def next_state(state: SlotState, event: SlotEvent) -> SlotState:
    """Return the state after *event*.

    Raises:
        IllegalTransition: The table has no such step.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"slot is {state}: {event} is not possible") from None


@immutable
class LiveOrder:
    """An order of the grid, as far as it is known."""

    client_order_id: str
    level: int
    side: Side
    price: Decimal
    quantity: Decimal
    status: OrderStatus = OrderStatus.PENDING
    order_id: str = ""
    filled: Decimal = Decimal(0)
    """Base coins, cumulative, as the venue reports it."""
    counted: Decimal = Decimal(0)
    """Base coins of the fills that were counted."""
    reason: str = ""
    since: float = 0.0
    """Monotonic seconds of this process: when it was intended, restored or last reported, or when the call that placed
    it ended with an unknown outcome."""
    closes: bool = False
    """Whether it is an exit: it reduces what its level holds."""

    @property
    def settled(self) -> bool:
        """Whether the order is closed and all its fills are counted."""
        return self.status.is_closed and self.counted >= self.filled

    @property
    def remaining(self) -> Decimal:
        """Base coins that may still be filled."""
        if self.status.is_closed:
            return _NOTHING
        return self.quantity - (self.filled if self.filled > self.counted else self.counted)

    # The changes of every order are written out: `replace` reads each field by name and takes twice as long.

    def after_fill(self, quantity: Decimal) -> LiveOrder:
        """Return the order with a fill counted."""
        return LiveOrder(
            client_order_id=self.client_order_id,
            level=self.level,
            side=self.side,
            price=self.price,
            quantity=self.quantity,
            status=self.status,
            order_id=self.order_id,
            filled=self.filled,
            counted=self.counted + quantity,
            reason=self.reason,
            since=self.since,
            closes=self.closes,
        )

    def merged(self, order: Order, *, since: float | None = None) -> LiveOrder:
        """Return the order with a report of the venue applied; an older or repeated one changes nothing.

        Args:
            order: The report.
            since: When it was reported; None leaves the time as it is.
        """
        # The reason for an unknown outcome says nothing about how the order ends.
        reason = self.reason if order.status.is_in_flight else order.reason or self.reason
        return LiveOrder(
            client_order_id=self.client_order_id,
            level=self.level,
            side=self.side,
            price=self.price,
            quantity=self.quantity,
            status=order.status if self.status.may_become(order.status) else self.status,
            order_id=order.order_id or self.order_id,
            filled=max(self.filled, order.filled_quantity),
            counted=self.counted,
            reason=reason,
            since=self.since if since is None else since,
            closes=self.closes,
        )


@immutable
class Slot:
    """One level: what it holds, and its order if it has one."""

    level: int
    quantity: Decimal = Decimal(0)
    """Base coins held, from counted fills; above zero is long."""
    cost: Decimal = Decimal(0)
    """Cost of these coins, quote, before fees."""
    state: SlotState = SlotState.FREE
    order: LiveOrder | None = None

    @property
    def is_free(self) -> bool:
        """Whether a new order may be placed here."""
        return self.state is SlotState.FREE

    @property
    def average_price(self) -> Decimal | None:
        """Average cost of a held coin, quote; None when nothing is held."""
        return self.cost / self.quantity if self.quantity else None

    def is_reduced_by(self, side: Side) -> bool:
        """Return whether an order of *side* closes what is held here."""
        return side.sign * self.quantity < 0

    def after(self, event: SlotEvent, order: LiveOrder | None) -> Slot:
        """Return the slot after *event*; *order* is its order from then on."""
        state = next_state(self.state, event)
        return Slot(level=self.level, quantity=self.quantity, cost=self.cost, state=state, order=order)

    def traded(self, side: Side, price: Decimal, quantity: Decimal) -> tuple[Slot, Decimal]:
        """Return the slot after a trade, and its profit.

        Returns:
            The slot, and the profit that it realized against the average cost, quote, before fees.
        """
        change = side.sign * quantity
        if self.quantity * change >= 0:
            return self._holding(self.quantity + change, self.cost + change * price), Decimal(0)
        average = self.cost / self.quantity
        closed = min(quantity, abs(self.quantity))
        profit = -side.sign * (price - average) * closed
        left = self.quantity + change
        turned = abs(change) >= abs(self.quantity)
        cost = left * price if turned else self.cost + side.sign * closed * average
        return self._holding(left, cost), profit

    def _holding(self, quantity: Decimal, cost: Decimal) -> Slot:
        return Slot(level=self.level, quantity=quantity, cost=cost, state=self.state, order=self.order)
