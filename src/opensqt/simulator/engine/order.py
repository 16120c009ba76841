"""Orders and fills of the simulated venue, and the reasons for which it refuses an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from opensqt.model.account import MarginMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.engine.conditional import NewConditional


class VenueClose(StrEnum):
    """Why the venue itself closes a position. The value begins the client order id; the rest is the order's own id."""

    LIQUIDATION = "autoclose-"
    ADL = "adl_autoclose-"
    """Automatic deleveraging: the position is closed against another one that can't be liquidated."""
    SETTLEMENT = "settlement_autoclose-"
    """The contract ends."""
    INSURANCE = "insurance-"
    """The insurance fund takes the position over."""


class RefusalReason(StrEnum):
    """Reason of a refusal; each dialect translates it to its venue's code."""

    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    INVALID = "INVALID"
    """An invalid value: a limit order without a price, a quantity of zero."""
    PRICE_STEP = "PRICE_STEP"
    QUANTITY_STEP = "QUANTITY_STEP"
    MIN_QUANTITY = "MIN_QUANTITY"
    MAX_QUANTITY = "MAX_QUANTITY"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    PRICE_BAND = "PRICE_BAND"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    REDUCE_ONLY = "REDUCE_ONLY"
    POSITION_SIDE_MISMATCH = "POSITION_SIDE_MISMATCH"
    DUPLICATE_CLIENT_ORDER_ID = "DUPLICATE_CLIENT_ORDER_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_CLOSED = "ORDER_CLOSED"
    """A cancel of an order that is filled, canceled or expired."""
    BELOW_FILLED = "BELOW_FILLED"
    """An order can't be amended to less than what is filled."""
    UNCHANGED = "UNCHANGED"
    """An amendment that changes nothing."""
    TOO_MANY_ORDERS = "TOO_MANY_ORDERS"
    TOO_MANY_CONDITIONAL = "TOO_MANY_CONDITIONAL"
    WOULD_TRIGGER = "WOULD_TRIGGER"
    """A conditional order whose trigger is met as it arrives."""
    POSITION_OPEN = "POSITION_OPEN"
    """A mode can't change while a position is open."""
    ORDERS_OPEN = "ORDERS_OPEN"
    """A mode can't change while orders are open."""
    NO_CHANGE = "NO_CHANGE"
    """The requested mode is the current one."""
    LEVERAGE = "LEVERAGE"
    SYMBOL_STATE = "SYMBOL_STATE"
    """The symbol is not in the state in which it trades: only what closes a position is accepted."""
    UNSUPPORTED = "UNSUPPORTED"


class Refused(Exception):
    """The engine refused a request and changed nothing.

    Attributes:
        reason: Key of the dialect's table of codes.
        message: The field, its value and what was expected.
    """

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ClosingReason(StrEnum):
    """Reason why the venue closed an order, where neither a fill nor its owner did."""

    NONE = "NONE"
    NOT_FILLED_AT_ONCE = "NOT_FILLED_AT_ONCE"
    """IOC or FOK, or a market order that found the book empty."""
    POST_ONLY = "POST_ONLY"
    AMENDED = "AMENDED"
    """It was amended to no more than what is filled."""
    SELF_TRADE = "SELF_TRADE"
    """It would have traded with an order of the same account: the resting order expires."""
    REDUCE_ONLY = "REDUCE_ONLY"
    """The position became smaller than the order."""
    LIQUIDATION = "LIQUIDATION"
    COUNTDOWN = "COUNTDOWN"
    """A countdown of the account ended, or its connection was lost for too long."""
    EXPIRY = "EXPIRY"
    """Its own time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order that a dialect passes to the engine; quantity in base coins."""

    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType = OrderType.LIMIT
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    client_order_id: str = ""
    """If empty, the engine makes an id."""
    tag: str = ""
    """The client's own mark of the order, where the venue has one."""
    expires_ms: int | None = None
    """Market time at which what rests of it is canceled."""
    attached: tuple[NewConditional, ...] = ()
    """Conditional orders that begin when it is filled."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the dialect needs to write it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOrder:
    """A snapshot of one order; a change makes a new snapshot."""

    account: str
    order_id: str
    """Digits, increasing over the whole venue."""
    client_order_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    order_type: OrderType
    time_in_force: TimeInForce
    reduce_only: bool
    price: Decimal | None
    """None for MARKET."""
    quantity: Decimal
    """Base coins; smaller than requested once a reduce-only order was reduced."""
    status: OrderStatus
    filled_quantity: Decimal = Decimal(0)
    filled_notional: Decimal = Decimal(0)
    """Quote, exact: the sum of price times quantity over the fills."""
    closing_reason: ClosingReason = ClosingReason.NONE
    tag: str = ""
    margin_mode: MarginMode = MarginMode.CROSS
    created_ms: int = 0
    """Market time."""
    updated_ms: int = 0
    amendments: int = 0
    """How often it was amended."""
    amend_text: str = ""
    """What the owner called the last amendment."""
    conditional_id: str = ""
    """The conditional order that placed it."""
    expires_ms: int | None = None
    """Market time at which what rests of it is canceled."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the dialect needs to write it again."""

    @property
    def remaining(self) -> Decimal:
        """Base coins not filled yet."""
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal:
        """Volume-weighted price of the fills; zero before the first."""
        return self.filled_notional / self.filled_quantity if self.filled_quantity else Decimal(0)


def venue_close(of: SimOrder | SimFill) -> VenueClose | None:
    """Return why the venue placed an order, or made a fill, to close a position; None for anybody else's."""
    begin = of.client_order_id.removesuffix(of.order_id)
    return next((why for why in VenueClose if why == begin), None)


def is_liquidation(of: SimOrder | SimFill) -> bool:
    """Return whether the venue placed an order, or made a fill, to liquidate a position."""
    return venue_close(of) is VenueClose.LIQUIDATION


def unplaced(account: str, wanted: NewOrder, now_ms: int) -> SimOrder:
    """Make the reply to an order that was only tested, or that a fault ignores."""
    return SimOrder(
        account=account,
        order_id="0",
        client_order_id=wanted.client_order_id,
        symbol=wanted.symbol,
        side=wanted.side,
        position_side=wanted.position_side,
        order_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        reduce_only=wanted.reduce_only,
        price=wanted.price,
        quantity=wanted.quantity,
        status=OrderStatus.OPEN,
        expires_ms=wanted.expires_ms,
        details=wanted.details,
        created_ms=now_ms,
        updated_ms=now_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimFill:
    """One trade of one order of an account."""

    account: str
    trade_id: str
    """Digits, increasing; unique in its symbol, and the id of the public trade too."""
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    fee: Decimal
    """Fee paid, in fee_asset; a negative fee is a rebate."""
    fee_asset: str
    is_maker: bool
    realized_pnl: Decimal
    """Quote, before fees."""
    time_ms: int
    """Market time."""

    @property
    def notional(self) -> Decimal:
        """Quote: price times quantity."""
        return self.price * self.quantity
