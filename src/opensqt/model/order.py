"""Orders: the request, the known state, fills, and the one table of status transitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from opensqt.model.immutable import immutable


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: the change of a signed position by one filled unit."""
        return _SIGNS[self]

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


BUY, SELL = Side.BUY, Side.SELL
"""For what runs with each price: a member of an enum is searched for at each use."""
_SIGNS = {Side.BUY: 1, Side.SELL: -1}


class OrderType(StrEnum):
    """How an order is priced."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long a limit order works. POST_ONLY is what Binance calls GTX: maker or refused."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "POST_ONLY"


class PositionSide(StrEnum):
    """Which position of a symbol an order belongs to. BOTH is the only one in one-way mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class MarginMode(StrEnum):
    """Whether the whole account or only the position's own margin carries its losses."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class OrderStatus(StrEnum):
    """Status of an order.

    DENIED: refused by a local rule, never sent. REJECTED: refused by the venue. UNKNOWN: sent, and the outcome is not
    proven yet.
    """

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    DENIED = "DENIED"

    @property
    def is_closed(self) -> bool:
        """Whether the order is final: nothing can happen to it."""
        return not TRANSITIONS[self]

    @property
    def is_open(self) -> bool:
        """Whether the venue is known to work the order."""
        return self in _OPEN

    @property
    def is_in_flight(self) -> bool:
        """Whether a report of the venue on the order is still awaited."""
        return self in _IN_FLIGHT

    def may_become(self, new: OrderStatus) -> bool:
        """Return whether the table allows *new* to follow this status (itself included, if not closed)."""
        return new in TRANSITIONS[self]


_OPEN = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_IN_FLIGHT = frozenset({OrderStatus.PENDING, OrderStatus.UNKNOWN})


class FillKind(StrEnum):
    """Why a fill was made. Only TRADE and BLOCK_TRADE come from the account's own decision."""

    TRADE = "TRADE"
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    INSURANCE = "INSURANCE"
    SETTLEMENT = "SETTLEMENT"
    DELIVERY = "DELIVERY"
    BLOCK_TRADE = "BLOCK_TRADE"
    SPREAD = "SPREAD"
    POSITION_TRANSFER = "POSITION_TRANSFER"
    OTHER = "OTHER"


class ClosedBy(StrEnum):
    """Who ended an order that was not filled whole. A timer that the account has set counts as its owner."""

    OWNER = "OWNER"
    VENUE = "VENUE"


class CloseReason(StrEnum):
    """Why an order ended before it was filled whole: the same word for the same cause on every venue."""

    REQUESTED = "REQUESTED"
    TIMER = "TIMER"
    TIME_IN_FORCE = "TIME_IN_FORCE"
    POST_ONLY = "POST_ONLY"
    REDUCE_ONLY = "REDUCE_ONLY"
    SELF_TRADE = "SELF_TRADE"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    PRICE_LIMIT = "PRICE_LIMIT"
    SYMBOL_CLOSED = "SYMBOL_CLOSED"
    LINKED_ORDER = "LINKED_ORDER"
    MARKET_MAKER_PROTECTION = "MARKET_MAKER_PROTECTION"
    RISK_CONTROL = "RISK_CONTROL"
    OTHER = "OTHER"


_VENUE_REPORTED = frozenset(
    {
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
    }
)
_AFTER_ACCEPTANCE = _VENUE_REPORTED - {OrderStatus.REJECTED}

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: _VENUE_REPORTED | {OrderStatus.PENDING, OrderStatus.UNKNOWN, OrderStatus.DENIED},
    OrderStatus.UNKNOWN: _VENUE_REPORTED | {OrderStatus.UNKNOWN},
    OrderStatus.OPEN: _AFTER_ACCEPTANCE,
    OrderStatus.PARTIALLY_FILLED: _AFTER_ACCEPTANCE - {OrderStatus.OPEN},
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELED: frozenset(),
    OrderStatus.EXPIRED: frozenset(),
    OrderStatus.REJECTED: frozenset(),
    OrderStatus.DENIED: frozenset(),
}
"""The statuses that may follow each status. Drawn in docs/orders.md; tested for every pair."""


@immutable
class OrderRequest:
    """An order that a strategy wants to place."""

    symbol: str
    """Canonical, e.g. BTCUSDT."""
    side: Side
    quantity: Decimal
    """Base coins, above zero."""
    client_order_id: str
    """The client's id: 1 to 32 ASCII letters and digits, never used again."""
    order_type: OrderType = OrderType.LIMIT
    price: Decimal | None = None
    """Quote per base coin; required for LIMIT, absent for MARKET."""
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    margin_mode: MarginMode = MarginMode.CROSS
    """That of the position that the order is for, where a venue's orders name it (OKX, Bitget); others ignore it."""


@immutable
class OrderRef:
    """Refers to one order by either id; the client id takes precedence when both are given."""

    symbol: str
    client_order_id: str = ""
    order_id: str = ""

    def __post_init__(self) -> None:
        if not (self.client_order_id or self.order_id):
            raise ValueError("client_order_id or order_id: one of them is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The known state of one order."""

    symbol: str
    side: Side
    quantity: Decimal
    """Base coins requested."""
    client_order_id: str
    """The client's id; empty only for a foreign order that was placed without one."""
    status: OrderStatus
    order_id: str = ""
    """The venue's id; empty until the venue reported it."""
    order_type: OrderType = OrderType.LIMIT
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    filled_quantity: Decimal = Decimal(0)
    """Base coins, cumulative; never goes back."""
    average_price: Decimal | None = None
    """Volume-weighted price of the fills; None before the first."""
    reason: str = ""
    """Why it was denied, rejected or expired: a text of the venue or of OpenSQT."""
    closed_by: ClosedBy | None = None
    """Who ended it; None while it is open, when it was filled whole, and where the venue does not report it."""
    close_reason: CloseReason | None = None
    """Why it ended; None where `closed_by` is."""
    event_time_ms: int = 0
    """The venue's time of this state, UTC epoch milliseconds."""
    received_ns: int = 0
    """Local time of receipt, UTC epoch nanoseconds."""

    @property
    def remaining_quantity(self) -> Decimal:
        """Base coins not filled yet."""
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee in one asset."""

    asset: str
    amount: Decimal
    """Paid, in units of the asset; a negative one is a rebate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRequest:
    """A change of the price or the total quantity of an open LIMIT order that a strategy wants."""

    order: OrderRef
    amend_id: str
    """The client's id of the amendment: 1 to 32 ASCII letters and digits, never used again."""
    price: Decimal | None = None
    """Quote per base coin; None keeps the price."""
    quantity: Decimal | None = None
    """Base coins in all, what is filled included; None keeps the quantity."""

    def __post_init__(self) -> None:
        if self.price is None and self.quantity is None:
            raise ValueError("price or quantity: one of them is needed")

    def completed(self, order: Order) -> AmendRequest:
        """Return the request with both ids of the order, and with what it leaves as it is."""
        return replace(
            self,
            order=OrderRef(symbol=order.symbol, client_order_id=order.client_order_id, order_id=order.order_id),
            price=order.price if self.price is None else self.price,
            quantity=order.quantity if self.quantity is None else self.quantity,
        )

    def amended(self, order: Order) -> OrderRequest:
        """Return the request that the order is one of once it is amended."""
        return OrderRequest(
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity if self.quantity is None else self.quantity,
            client_order_id=order.client_order_id,
            order_type=order.order_type,
            price=order.price if self.price is None else self.price,
            time_in_force=order.time_in_force,
            reduce_only=order.reduce_only,
            position_side=order.position_side,
        )

    def is_done(self, order: Order) -> bool:
        """Return whether an order has the price and the quantity that are asked for."""
        return self.price in (None, order.price) and self.quantity in (None, order.quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade. `(symbol, trade_id)` is unique on a venue, so that a repeated fill counts once."""

    symbol: str
    trade_id: str
    order_id: str
    client_order_id: str
    """Empty where the venue's trade list does not carry it."""
    side: Side
    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    """Base coins."""
    fee: Decimal
    """Fee paid, in fee_asset; a negative one is a rebate."""
    fee_asset: str
    is_maker: bool
    realized_pnl: Decimal = Decimal(0)
    """Quote, before fees, as the venue reports it; zero where it does not."""
    kind: FillKind = FillKind.TRADE
    """Why it was made."""
    other_fees: tuple[Fee, ...] = ()
    """Fees in further assets, where the venue took them in more than one."""
    event_time_ms: int = 0
    received_ns: int = 0

    @property
    def fees(self) -> dict[str, Decimal]:
        """All that was paid, by asset."""
        paid = {self.fee_asset: self.fee}
        for other in self.other_fees:
            paid[other.asset] = paid.get(other.asset, Decimal(0)) + other.amount
        return paid

    @property
    def notional(self) -> Decimal:
        """Quote: price times quantity."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """One update of the orders stream: the order's current state, and the fill that caused the update, if any."""

    order: Order
    fill: Fill | None = None

    @property
    def received_ns(self) -> int:
        """Local time of receipt, UTC epoch nanoseconds."""
        return self.order.received_ns
