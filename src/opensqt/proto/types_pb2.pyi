import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class OrderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_TYPE_UNSPECIFIED: _ClassVar[OrderType]
    ORDER_TYPE_LIMIT: _ClassVar[OrderType]
    ORDER_TYPE_MARKET: _ClassVar[OrderType]

class TimeInForce(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_IN_FORCE_UNSPECIFIED: _ClassVar[TimeInForce]
    TIME_IN_FORCE_GTC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_IOC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_FOK: _ClassVar[TimeInForce]
    TIME_IN_FORCE_POST_ONLY: _ClassVar[TimeInForce]

class PositionSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSITION_SIDE_UNSPECIFIED: _ClassVar[PositionSide]
    POSITION_SIDE_BOTH: _ClassVar[PositionSide]
    POSITION_SIDE_LONG: _ClassVar[PositionSide]
    POSITION_SIDE_SHORT: _ClassVar[PositionSide]

class PositionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSITION_MODE_UNSPECIFIED: _ClassVar[PositionMode]
    POSITION_MODE_ONE_WAY: _ClassVar[PositionMode]
    POSITION_MODE_HEDGE: _ClassVar[PositionMode]

class MarginMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_MODE_UNSPECIFIED: _ClassVar[MarginMode]
    MARGIN_MODE_CROSS: _ClassVar[MarginMode]
    MARGIN_MODE_ISOLATED: _ClassVar[MarginMode]

class OrderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATUS_UNSPECIFIED: _ClassVar[OrderStatus]
    ORDER_STATUS_PENDING: _ClassVar[OrderStatus]
    ORDER_STATUS_UNKNOWN: _ClassVar[OrderStatus]
    ORDER_STATUS_OPEN: _ClassVar[OrderStatus]
    ORDER_STATUS_PARTIALLY_FILLED: _ClassVar[OrderStatus]
    ORDER_STATUS_FILLED: _ClassVar[OrderStatus]
    ORDER_STATUS_CANCELED: _ClassVar[OrderStatus]
    ORDER_STATUS_EXPIRED: _ClassVar[OrderStatus]
    ORDER_STATUS_REJECTED: _ClassVar[OrderStatus]
    ORDER_STATUS_DENIED: _ClassVar[OrderStatus]

class FillKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_KIND_UNSPECIFIED: _ClassVar[FillKind]
    FILL_KIND_TRADE: _ClassVar[FillKind]
    FILL_KIND_LIQUIDATION: _ClassVar[FillKind]
    FILL_KIND_ADL: _ClassVar[FillKind]
    FILL_KIND_INSURANCE: _ClassVar[FillKind]
    FILL_KIND_SETTLEMENT: _ClassVar[FillKind]
    FILL_KIND_DELIVERY: _ClassVar[FillKind]
    FILL_KIND_BLOCK_TRADE: _ClassVar[FillKind]
    FILL_KIND_SPREAD: _ClassVar[FillKind]
    FILL_KIND_POSITION_TRANSFER: _ClassVar[FillKind]
    FILL_KIND_OTHER: _ClassVar[FillKind]

class ClosedBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSED_BY_UNSPECIFIED: _ClassVar[ClosedBy]
    CLOSED_BY_OWNER: _ClassVar[ClosedBy]
    CLOSED_BY_VENUE: _ClassVar[ClosedBy]

class CloseReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSE_REASON_UNSPECIFIED: _ClassVar[CloseReason]
    CLOSE_REASON_REQUESTED: _ClassVar[CloseReason]
    CLOSE_REASON_TIMER: _ClassVar[CloseReason]
    CLOSE_REASON_TIME_IN_FORCE: _ClassVar[CloseReason]
    CLOSE_REASON_POST_ONLY: _ClassVar[CloseReason]
    CLOSE_REASON_REDUCE_ONLY: _ClassVar[CloseReason]
    CLOSE_REASON_SELF_TRADE: _ClassVar[CloseReason]
    CLOSE_REASON_INSUFFICIENT_MARGIN: _ClassVar[CloseReason]
    CLOSE_REASON_LIQUIDATION: _ClassVar[CloseReason]
    CLOSE_REASON_ADL: _ClassVar[CloseReason]
    CLOSE_REASON_PRICE_LIMIT: _ClassVar[CloseReason]
    CLOSE_REASON_SYMBOL_CLOSED: _ClassVar[CloseReason]
    CLOSE_REASON_LINKED_ORDER: _ClassVar[CloseReason]
    CLOSE_REASON_MARKET_MAKER_PROTECTION: _ClassVar[CloseReason]
    CLOSE_REASON_RISK_CONTROL: _ClassVar[CloseReason]
    CLOSE_REASON_OTHER: _ClassVar[CloseReason]

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_MARGIN_CALL: _ClassVar[NoticeKind]
    NOTICE_KIND_LIQUIDATION: _ClassVar[NoticeKind]
    NOTICE_KIND_POSITION_MODE: _ClassVar[NoticeKind]
    NOTICE_KIND_ACCOUNT_MODE: _ClassVar[NoticeKind]

class MarginModeScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_MODE_SCOPE_UNSPECIFIED: _ClassVar[MarginModeScope]
    MARGIN_MODE_SCOPE_SYMBOL: _ClassVar[MarginModeScope]
    MARGIN_MODE_SCOPE_ACCOUNT: _ClassVar[MarginModeScope]
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
ORDER_TYPE_UNSPECIFIED: OrderType
ORDER_TYPE_LIMIT: OrderType
ORDER_TYPE_MARKET: OrderType
TIME_IN_FORCE_UNSPECIFIED: TimeInForce
TIME_IN_FORCE_GTC: TimeInForce
TIME_IN_FORCE_IOC: TimeInForce
TIME_IN_FORCE_FOK: TimeInForce
TIME_IN_FORCE_POST_ONLY: TimeInForce
POSITION_SIDE_UNSPECIFIED: PositionSide
POSITION_SIDE_BOTH: PositionSide
POSITION_SIDE_LONG: PositionSide
POSITION_SIDE_SHORT: PositionSide
POSITION_MODE_UNSPECIFIED: PositionMode
POSITION_MODE_ONE_WAY: PositionMode
POSITION_MODE_HEDGE: PositionMode
MARGIN_MODE_UNSPECIFIED: MarginMode
MARGIN_MODE_CROSS: MarginMode
MARGIN_MODE_ISOLATED: MarginMode
ORDER_STATUS_UNSPECIFIED: OrderStatus
ORDER_STATUS_PENDING: OrderStatus
ORDER_STATUS_UNKNOWN: OrderStatus
ORDER_STATUS_OPEN: OrderStatus
ORDER_STATUS_PARTIALLY_FILLED: OrderStatus
ORDER_STATUS_FILLED: OrderStatus
ORDER_STATUS_CANCELED: OrderStatus
ORDER_STATUS_EXPIRED: OrderStatus
ORDER_STATUS_REJECTED: OrderStatus
ORDER_STATUS_DENIED: OrderStatus
FILL_KIND_UNSPECIFIED: FillKind
FILL_KIND_TRADE: FillKind
FILL_KIND_LIQUIDATION: FillKind
FILL_KIND_ADL: FillKind
FILL_KIND_INSURANCE: FillKind
FILL_KIND_SETTLEMENT: FillKind
FILL_KIND_DELIVERY: FillKind
FILL_KIND_BLOCK_TRADE: FillKind
FILL_KIND_SPREAD: FillKind
FILL_KIND_POSITION_TRANSFER: FillKind
FILL_KIND_OTHER: FillKind
CLOSED_BY_UNSPECIFIED: ClosedBy
CLOSED_BY_OWNER: ClosedBy
CLOSED_BY_VENUE: ClosedBy
CLOSE_REASON_UNSPECIFIED: CloseReason
CLOSE_REASON_REQUESTED: CloseReason
CLOSE_REASON_TIMER: CloseReason
CLOSE_REASON_TIME_IN_FORCE: CloseReason
CLOSE_REASON_POST_ONLY: CloseReason
CLOSE_REASON_REDUCE_ONLY: CloseReason
CLOSE_REASON_SELF_TRADE: CloseReason
CLOSE_REASON_INSUFFICIENT_MARGIN: CloseReason
CLOSE_REASON_LIQUIDATION: CloseReason
CLOSE_REASON_ADL: CloseReason
CLOSE_REASON_PRICE_LIMIT: CloseReason
CLOSE_REASON_SYMBOL_CLOSED: CloseReason
CLOSE_REASON_LINKED_ORDER: CloseReason
CLOSE_REASON_MARKET_MAKER_PROTECTION: CloseReason
CLOSE_REASON_RISK_CONTROL: CloseReason
CLOSE_REASON_OTHER: CloseReason
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_MARGIN_CALL: NoticeKind
NOTICE_KIND_LIQUIDATION: NoticeKind
NOTICE_KIND_POSITION_MODE: NoticeKind
NOTICE_KIND_ACCOUNT_MODE: NoticeKind
MARGIN_MODE_SCOPE_UNSPECIFIED: MarginModeScope
MARGIN_MODE_SCOPE_SYMBOL: MarginModeScope
MARGIN_MODE_SCOPE_ACCOUNT: MarginModeScope

class OrderRequest(_message.Message):
    __slots__ = ("symbol", "side", "order_type", "time_in_force", "quantity", "price", "client_order_id", "reduce_only", "position_side", "claim_number", "margin_mode")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    CLAIM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: str
    price: str
    client_order_id: str
    reduce_only: bool
    position_side: PositionSide
    claim_number: int
    margin_mode: MarginMode
    def __init__(self, symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., order_type: _Optional[_Union[OrderType, str]] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., client_order_id: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., claim_number: _Optional[int] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ...) -> None: ...

class OrderRef(_message.Message):
    __slots__ = ("symbol", "client_order_id", "order_id")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    client_order_id: str
    order_id: str
    def __init__(self, symbol: _Optional[str] = ..., client_order_id: _Optional[str] = ..., order_id: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("symbol", "side", "order_type", "time_in_force", "quantity", "price", "client_order_id", "order_id", "status", "filled_quantity", "average_price", "reduce_only", "position_side", "reason", "event_time_ms", "received_ns", "closed_by", "close_reason")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_BY_FIELD_NUMBER: _ClassVar[int]
    CLOSE_REASON_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: str
    price: str
    client_order_id: str
    order_id: str
    status: OrderStatus
    filled_quantity: str
    average_price: str
    reduce_only: bool
    position_side: PositionSide
    reason: str
    event_time_ms: int
    received_ns: int
    closed_by: ClosedBy
    close_reason: CloseReason
    def __init__(self, symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., order_type: _Optional[_Union[OrderType, str]] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., client_order_id: _Optional[str] = ..., order_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., filled_quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., reason: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ..., closed_by: _Optional[_Union[ClosedBy, str]] = ..., close_reason: _Optional[_Union[CloseReason, str]] = ...) -> None: ...

class Fee(_message.Message):
    __slots__ = ("asset", "amount")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    asset: str
    amount: str
    def __init__(self, asset: _Optional[str] = ..., amount: _Optional[str] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("symbol", "trade_id", "order_id", "client_order_id", "side", "position_side", "price", "quantity", "fee", "fee_asset", "is_maker", "realized_pnl", "event_time_ms", "received_ns", "kind", "other_fees")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_ASSET_FIELD_NUMBER: _ClassVar[int]
    IS_MAKER_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OTHER_FEES_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    trade_id: str
    order_id: str
    client_order_id: str
    side: Side
    position_side: PositionSide
    price: str
    quantity: str
    fee: str
    fee_asset: str
    is_maker: bool
    realized_pnl: str
    event_time_ms: int
    received_ns: int
    kind: FillKind
    other_fees: _containers.RepeatedCompositeFieldContainer[Fee]
    def __init__(self, symbol: _Optional[str] = ..., trade_id: _Optional[str] = ..., order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., price: _Optional[str] = ..., quantity: _Optional[str] = ..., fee: _Optional[str] = ..., fee_asset: _Optional[str] = ..., is_maker: _Optional[bool] = ..., realized_pnl: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ..., kind: _Optional[_Union[FillKind, str]] = ..., other_fees: _Optional[_Iterable[_Union[Fee, _Mapping]]] = ...) -> None: ...

class OrderUpdate(_message.Message):
    __slots__ = ("order", "fill")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    order: Order
    fill: Fill
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("reason", "message", "venue_code", "symbol", "retry_after")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VENUE_CODE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    venue_code: str
    symbol: str
    retry_after: _duration_pb2.Duration
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., venue_code: _Optional[str] = ..., symbol: _Optional[str] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OrderResult(_message.Message):
    __slots__ = ("order", "error")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    order: Order
    error: Error
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class AccountNotice(_message.Message):
    __slots__ = ("kind", "symbol", "text", "event_time_ms", "received_ns")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    kind: NoticeKind
    symbol: str
    text: str
    event_time_ms: int
    received_ns: int
    def __init__(self, kind: _Optional[_Union[NoticeKind, str]] = ..., symbol: _Optional[str] = ..., text: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("asset", "wallet_balance", "unrealized_pnl", "available_balance", "initial_margin", "maintenance_margin", "notices", "event_time_ms", "received_ns", "total_margin_balance")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    WALLET_BALANCE_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_BALANCE_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_MARGIN_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MARGIN_BALANCE_FIELD_NUMBER: _ClassVar[int]
    asset: str
    wallet_balance: str
    unrealized_pnl: str
    available_balance: str
    initial_margin: str
    maintenance_margin: str
    notices: _containers.RepeatedCompositeFieldContainer[AccountNotice]
    event_time_ms: int
    received_ns: int
    total_margin_balance: str
    def __init__(self, asset: _Optional[str] = ..., wallet_balance: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., available_balance: _Optional[str] = ..., initial_margin: _Optional[str] = ..., maintenance_margin: _Optional[str] = ..., notices: _Optional[_Iterable[_Union[AccountNotice, _Mapping]]] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ..., total_margin_balance: _Optional[str] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("symbol", "position_side", "quantity", "entry_price", "mark_price", "unrealized_pnl", "liquidation_price", "leverage", "margin_mode", "event_time_ms", "received_ns", "isolated_quantity")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    position_side: PositionSide
    quantity: str
    entry_price: str
    mark_price: str
    unrealized_pnl: str
    liquidation_price: str
    leverage: str
    margin_mode: MarginMode
    event_time_ms: int
    received_ns: int
    isolated_quantity: str
    def __init__(self, symbol: _Optional[str] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., quantity: _Optional[str] = ..., entry_price: _Optional[str] = ..., mark_price: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., liquidation_price: _Optional[str] = ..., leverage: _Optional[str] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ..., isolated_quantity: _Optional[str] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("symbol", "bid", "ask", "bid_quantity", "ask_quantity", "last", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    BID_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ASK_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    bid: str
    ask: str
    bid_quantity: str
    ask_quantity: str
    last: str
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., bid: _Optional[str] = ..., ask: _Optional[str] = ..., bid_quantity: _Optional[str] = ..., ask_quantity: _Optional[str] = ..., last: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class Kline(_message.Message):
    __slots__ = ("symbol", "interval", "open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "closed", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    QUOTE_VOLUME_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    interval: str
    open_time_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    closed: bool
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., interval: _Optional[str] = ..., open_time_ms: _Optional[int] = ..., open: _Optional[str] = ..., high: _Optional[str] = ..., low: _Optional[str] = ..., close: _Optional[str] = ..., volume: _Optional[str] = ..., quote_volume: _Optional[str] = ..., closed: _Optional[bool] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class BookLevel(_message.Message):
    __slots__ = ("price", "quantity")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    price: str
    quantity: str
    def __init__(self, price: _Optional[str] = ..., quantity: _Optional[str] = ...) -> None: ...

class OrderBook(_message.Message):
    __slots__ = ("symbol", "bids", "asks", "sequence", "valid", "invalid_reason", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    INVALID_REASON_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    bids: _containers.RepeatedCompositeFieldContainer[BookLevel]
    asks: _containers.RepeatedCompositeFieldContainer[BookLevel]
    sequence: int
    valid: bool
    invalid_reason: str
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., bids: _Optional[_Iterable[_Union[BookLevel, _Mapping]]] = ..., asks: _Optional[_Iterable[_Union[BookLevel, _Mapping]]] = ..., sequence: _Optional[int] = ..., valid: _Optional[bool] = ..., invalid_reason: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class PublicTrade(_message.Message):
    __slots__ = ("symbol", "trade_id", "price", "quantity", "side", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    trade_id: str
    price: str
    quantity: str
    side: Side
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., trade_id: _Optional[str] = ..., price: _Optional[str] = ..., quantity: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class MarkPrice(_message.Message):
    __slots__ = ("symbol", "mark", "index", "funding_rate", "next_funding_ms", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FUNDING_RATE_FIELD_NUMBER: _ClassVar[int]
    NEXT_FUNDING_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    mark: str
    index: str
    funding_rate: str
    next_funding_ms: int
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., mark: _Optional[str] = ..., index: _Optional[str] = ..., funding_rate: _Optional[str] = ..., next_funding_ms: _Optional[int] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class SymbolRules(_message.Message):
    __slots__ = ("symbol", "base_asset", "quote_asset", "price_step", "quantity_step", "min_quantity", "min_notional", "max_quantity", "contract_size", "max_leverage", "maker_fee", "taker_fee", "untradable", "untradable_reason", "min_market_quantity", "max_market_quantity")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BASE_ASSET_FIELD_NUMBER: _ClassVar[int]
    QUOTE_ASSET_FIELD_NUMBER: _ClassVar[int]
    PRICE_STEP_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_STEP_FIELD_NUMBER: _ClassVar[int]
    MIN_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MIN_NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    MAX_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_FIELD_NUMBER: _ClassVar[int]
    UNTRADABLE_FIELD_NUMBER: _ClassVar[int]
    UNTRADABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    MIN_MARKET_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MAX_MARKET_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    base_asset: str
    quote_asset: str
    price_step: str
    quantity_step: str
    min_quantity: str
    min_notional: str
    max_quantity: str
    contract_size: str
    max_leverage: str
    maker_fee: str
    taker_fee: str
    untradable: bool
    untradable_reason: str
    min_market_quantity: str
    max_market_quantity: str
    def __init__(self, symbol: _Optional[str] = ..., base_asset: _Optional[str] = ..., quote_asset: _Optional[str] = ..., price_step: _Optional[str] = ..., quantity_step: _Optional[str] = ..., min_quantity: _Optional[str] = ..., min_notional: _Optional[str] = ..., max_quantity: _Optional[str] = ..., contract_size: _Optional[str] = ..., max_leverage: _Optional[str] = ..., maker_fee: _Optional[str] = ..., taker_fee: _Optional[str] = ..., untradable: _Optional[bool] = ..., untradable_reason: _Optional[str] = ..., min_market_quantity: _Optional[str] = ..., max_market_quantity: _Optional[str] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("time_in_force", "market_orders", "reduce_only", "position_modes", "margin_modes", "max_batch", "intervals", "client_order_id_length", "trading", "order_book_depth", "public_trades", "mark_price", "set_leverage", "margin_mode_scope", "set_position_mode", "funding_payments", "amend_order")
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    MARKET_ORDERS_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    POSITION_MODES_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TRADING_FIELD_NUMBER: _ClassVar[int]
    ORDER_BOOK_DEPTH_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_TRADES_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    SET_LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_SCOPE_FIELD_NUMBER: _ClassVar[int]
    SET_POSITION_MODE_FIELD_NUMBER: _ClassVar[int]
    FUNDING_PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    AMEND_ORDER_FIELD_NUMBER: _ClassVar[int]
    time_in_force: _containers.RepeatedScalarFieldContainer[TimeInForce]
    market_orders: bool
    reduce_only: bool
    position_modes: _containers.RepeatedScalarFieldContainer[PositionMode]
    margin_modes: _containers.RepeatedScalarFieldContainer[MarginMode]
    max_batch: int
    intervals: _containers.RepeatedScalarFieldContainer[str]
    client_order_id_length: int
    trading: bool
    order_book_depth: int
    public_trades: bool
    mark_price: bool
    set_leverage: bool
    margin_mode_scope: MarginModeScope
    set_position_mode: bool
    funding_payments: bool
    amend_order: bool
    def __init__(self, time_in_force: _Optional[_Iterable[_Union[TimeInForce, str]]] = ..., market_orders: _Optional[bool] = ..., reduce_only: _Optional[bool] = ..., position_modes: _Optional[_Iterable[_Union[PositionMode, str]]] = ..., margin_modes: _Optional[_Iterable[_Union[MarginMode, str]]] = ..., max_batch: _Optional[int] = ..., intervals: _Optional[_Iterable[str]] = ..., client_order_id_length: _Optional[int] = ..., trading: _Optional[bool] = ..., order_book_depth: _Optional[int] = ..., public_trades: _Optional[bool] = ..., mark_price: _Optional[bool] = ..., set_leverage: _Optional[bool] = ..., margin_mode_scope: _Optional[_Union[MarginModeScope, str]] = ..., set_position_mode: _Optional[bool] = ..., funding_payments: _Optional[bool] = ..., amend_order: _Optional[bool] = ...) -> None: ...

class FundingPayment(_message.Message):
    __slots__ = ("symbol", "payment_id", "amount", "asset", "position_side", "rate", "position_size", "event_time_ms", "received_ns")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIZE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_NS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    payment_id: str
    amount: str
    asset: str
    position_side: PositionSide
    rate: str
    position_size: str
    event_time_ms: int
    received_ns: int
    def __init__(self, symbol: _Optional[str] = ..., payment_id: _Optional[str] = ..., amount: _Optional[str] = ..., asset: _Optional[str] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., rate: _Optional[str] = ..., position_size: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., received_ns: _Optional[int] = ...) -> None: ...

class StreamPosition(_message.Message):
    __slots__ = ("epoch", "sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    sequence: int
    def __init__(self, epoch: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("epoch", "sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    sequence: int
    def __init__(self, epoch: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...
