"""Conditional orders: what each one waits for, what it places then, and what becomes of it. No behaviour of a book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from opensqt.model.order import OrderType, PositionSide, Side, TimeInForce

ZERO = Decimal(0)


class TriggerBy(StrEnum):
    """The price that a trigger watches."""

    LAST = "LAST"
    """Each print of the tape."""
    MARK = "MARK"
    INDEX = "INDEX"
    """The simulated market has no index of its own: it is the mark."""


class Crossing(StrEnum):
    """The way in which a price reaches a trigger."""

    UP = "UP"
    """It rises to the trigger's price, or above it."""
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A trigger that follows the price: exactly one of rate and distance is set."""

    rate: Decimal | None = None
    """Share of the best price since activation, 0.01 is 1 %."""
    distance: Decimal | None = None
    """Quote."""
    activation_price: Decimal | None = None
    """The price at which it begins to follow; None is at once."""

    def stop(self, crossing: Crossing, best: Decimal) -> Decimal:
        """Return the price at which it triggers, given the best price so far."""
        away = best * self.rate if self.rate is not None else self.distance or ZERO
        return best - away if crossing is Crossing.DOWN else best + away


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One condition, and the price of the order that it places."""

    crossing: Crossing
    by: TriggerBy = TriggerBy.LAST
    price: Decimal | None = None
    """None for one that trails."""
    order_price: Decimal | None = None
    """None places a market order."""
    trail: Trail | None = None
    name: str = ""
    """The dialect's own: `tp`, `sl`."""


class ConditionalStatus(StrEnum):
    """What became of a conditional order."""

    WAITING = "WAITING"
    TRIGGERED = "TRIGGERED"
    """It has placed its order."""
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    """The venue ended it: its time is over, or its position is closed."""
    REJECTED = "REJECTED"
    """It triggered, and its order was refused."""

    @property
    def is_open(self) -> bool:
        """Whether it can still trigger."""
        return self is ConditionalStatus.WAITING


class ConditionalChange(StrEnum):
    """What happened to a conditional order."""

    NEW = "NEW"
    ACTIVATED = "ACTIVATED"
    """It trails from now on."""
    AMENDED = "AMENDED"
    TRIGGERED = "TRIGGERED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConditional:
    """A conditional order that a dialect passes to the engine."""

    symbol: str
    side: Side
    triggers: tuple[Trigger, ...]
    """The first one that is met places the order; the others end with it."""
    quantity: Decimal = ZERO
    """Base coins; ignored with close_position."""
    close_position: bool = False
    """Place an order for the whole position as it is when it triggers."""
    time_in_force: TimeInForce = TimeInForce.GTC
    """Of a limit order that it places."""
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    client_id: str = ""
    order_client_id: str | None = None
    """Client order id of the order that it places; empty is a new one, None takes `client_id`."""
    bound: bool = False
    """It ends with the position that it closes."""
    group: str = ""
    """When one of a group triggers, the others are canceled."""
    slot: str = ""
    """A new one takes the place of the one that waits in the same slot of the same position."""
    expires_ms: int | None = None
    expires_order: bool = False
    """Whether the order that it places expires then, too."""
    tag: str = ""
    kind: str = ""
    """The venue's term for it."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the dialect needs to write it again."""
    on_fill: bool = False
    """Of one that is attached to an order: it begins with the first fill, and not when the order is closed."""

    @property
    def closes_only(self) -> bool:
        """Whether what it places can only reduce a position."""
        return self.reduce_only or self.close_position


@dataclass(frozen=True, slots=True, kw_only=True)
class SimConditional:
    """A snapshot of one conditional order; a change makes a new snapshot."""

    account: str
    conditional_id: str
    """Digits, from the same numbers as the ids of orders."""
    wanted: NewConditional
    status: ConditionalStatus
    parent_id: str = ""
    """The order that it was attached to."""
    activated: bool = False
    best_price: Decimal | None = None
    """The best price since activation, of one that trails."""
    fired: Trigger | None = None
    fired_price: Decimal | None = None
    """The print or the mark that met the trigger."""
    order_id: str = ""
    """The order that it placed."""
    rejection: str = ""
    reason: str = ""
    """Key of a refusal, of one that was REJECTED."""
    created_ms: int
    updated_ms: int
    triggered_ms: int = 0
    amendments: int = 0

    @property
    def symbol(self) -> str:
        """The symbol that it is for."""
        return self.wanted.symbol

    @property
    def client_id(self) -> str:
        """The client's id."""
        return self.wanted.client_id

    @property
    def trigger(self) -> Trigger:
        """The trigger that was met, or the first one."""
        return self.fired or self.wanted.triggers[0]

    @property
    def order_type(self) -> OrderType:
        """Type of the order that it places."""
        return OrderType.MARKET if self.trigger.order_price is None else OrderType.LIMIT

    def stop_price(self) -> Decimal | None:
        """Return the price at which it triggers as things are; None while a trailing one is not active."""
        trigger = self.trigger
        if trigger.trail is None:
            return trigger.price
        return trigger.trail.stop(trigger.crossing, self.best_price) if self.best_price is not None else None


def is_met(trigger: Trigger, price: Decimal) -> bool:
    """Return whether a price meets a trigger that does not trail."""
    assert trigger.price is not None  # noqa: S101 - one without a price trails
    return price >= trigger.price if trigger.crossing is Crossing.UP else price <= trigger.price
