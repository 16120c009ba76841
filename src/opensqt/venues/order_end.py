"""How an order ended, in the same terms on every venue: by whom, and why."""

from __future__ import annotations

from dataclasses import dataclass

from opensqt.model.order import ClosedBy, CloseReason, OrderStatus

_BY_OWNER = frozenset({CloseReason.REQUESTED, CloseReason.TIMER})
_ENDED_SHORT = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """How an order ended; of one that has not, or that was filled whole, only the status."""

    status: OrderStatus
    closed_by: ClosedBy | None = None
    close_reason: CloseReason | None = None


def order_end(status: OrderStatus, why: CloseReason | None) -> OrderEnd:
    """Return the end of an order: CANCELED by its owner, EXPIRED or REJECTED by the venue.

    Args:
        status: As the venue reported it. A venue that cancels an order calls it canceled or expired, each as it likes.
        why: The cause that the venue reported; None where it reported none, which proves nothing.
    """
    if status is OrderStatus.REJECTED:
        return OrderEnd(status, ClosedBy.VENUE, why or CloseReason.OTHER)
    if status not in _ENDED_SHORT or why is None:
        return OrderEnd(status)
    if why in _BY_OWNER:
        return OrderEnd(OrderStatus.CANCELED, ClosedBy.OWNER, why)
    return OrderEnd(OrderStatus.EXPIRED, ClosedBy.VENUE, why)
