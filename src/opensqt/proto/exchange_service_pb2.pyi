from opensqt.proto import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlaceOrderRequest(_message.Message):
    __slots__ = ("order", "halt_id")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    HALT_ID_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.OrderRequest
    halt_id: str
    def __init__(self, order: _Optional[_Union[_types_pb2.OrderRequest, _Mapping]] = ..., halt_id: _Optional[str] = ...) -> None: ...

class PlaceOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.Order
    def __init__(self, order: _Optional[_Union[_types_pb2.Order, _Mapping]] = ...) -> None: ...

class BatchPlaceOrdersRequest(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderRequest]
    def __init__(self, orders: _Optional[_Iterable[_Union[_types_pb2.OrderRequest, _Mapping]]] = ...) -> None: ...

class BatchPlaceOrdersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_types_pb2.OrderResult, _Mapping]]] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.OrderRef
    def __init__(self, order: _Optional[_Union[_types_pb2.OrderRef, _Mapping]] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.Order
    def __init__(self, order: _Optional[_Union[_types_pb2.Order, _Mapping]] = ...) -> None: ...

class BatchCancelOrdersRequest(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderRef]
    def __init__(self, orders: _Optional[_Iterable[_Union[_types_pb2.OrderRef, _Mapping]]] = ...) -> None: ...

class BatchCancelOrdersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_types_pb2.OrderResult, _Mapping]]] = ...) -> None: ...

class CancelAllOrdersRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class CancelAllOrdersResponse(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_types_pb2.Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[_types_pb2.Order, _Mapping]]] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.OrderRef
    def __init__(self, order: _Optional[_Union[_types_pb2.OrderRef, _Mapping]] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.Order
    def __init__(self, order: _Optional[_Union[_types_pb2.Order, _Mapping]] = ...) -> None: ...

class GetOpenOrdersRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class GetOpenOrdersResponse(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_types_pb2.Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[_types_pb2.Order, _Mapping]]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _types_pb2.Account
    def __init__(self, account: _Optional[_Union[_types_pb2.Account, _Mapping]] = ...) -> None: ...

class GetPositionsRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class GetPositionsResponse(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[_types_pb2.Position]
    def __init__(self, positions: _Optional[_Iterable[_Union[_types_pb2.Position, _Mapping]]] = ...) -> None: ...

class GetLatestPriceRequest(_message.Message):
    __slots__ = ("symbol",)
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    def __init__(self, symbol: _Optional[str] = ...) -> None: ...

class GetLatestPriceResponse(_message.Message):
    __slots__ = ("price",)
    PRICE_FIELD_NUMBER: _ClassVar[int]
    price: _types_pb2.Price
    def __init__(self, price: _Optional[_Union[_types_pb2.Price, _Mapping]] = ...) -> None: ...

class GetHistoricalKlinesRequest(_message.Message):
    __slots__ = ("symbol", "interval", "limit", "start_time_ms", "end_time_ms", "page_size", "page_token")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    END_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    interval: str
    limit: int
    start_time_ms: int
    end_time_ms: int
    page_size: int
    page_token: str
    def __init__(self, symbol: _Optional[str] = ..., interval: _Optional[str] = ..., limit: _Optional[int] = ..., start_time_ms: _Optional[int] = ..., end_time_ms: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetHistoricalKlinesResponse(_message.Message):
    __slots__ = ("klines", "next_page_token")
    KLINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    klines: _containers.RepeatedCompositeFieldContainer[_types_pb2.Kline]
    next_page_token: str
    def __init__(self, klines: _Optional[_Iterable[_Union[_types_pb2.Kline, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetExchangeInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetExchangeInfoResponse(_message.Message):
    __slots__ = ("name", "exchange_type", "capabilities", "symbols", "testnet", "simulated", "position_mode")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    TESTNET_FIELD_NUMBER: _ClassVar[int]
    SIMULATED_FIELD_NUMBER: _ClassVar[int]
    POSITION_MODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    exchange_type: str
    capabilities: _types_pb2.Capabilities
    symbols: _containers.RepeatedCompositeFieldContainer[_types_pb2.SymbolRules]
    testnet: bool
    simulated: bool
    position_mode: _types_pb2.PositionMode
    def __init__(self, name: _Optional[str] = ..., exchange_type: _Optional[str] = ..., capabilities: _Optional[_Union[_types_pb2.Capabilities, _Mapping]] = ..., symbols: _Optional[_Iterable[_Union[_types_pb2.SymbolRules, _Mapping]]] = ..., testnet: _Optional[bool] = ..., simulated: _Optional[bool] = ..., position_mode: _Optional[_Union[_types_pb2.PositionMode, str]] = ...) -> None: ...

class SubscribePriceRequest(_message.Message):
    __slots__ = ("symbol", "cursor", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    cursor: _types_pb2.Cursor
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., cursor: _Optional[_Union[_types_pb2.Cursor, _Mapping]] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribePriceResponse(_message.Message):
    __slots__ = ("updates", "epoch", "sequence", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.Price]
    epoch: str
    sequence: int
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.Price, _Mapping]]] = ..., epoch: _Optional[str] = ..., sequence: _Optional[int] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeOrdersRequest(_message.Message):
    __slots__ = ("symbol", "cursor", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    cursor: _types_pb2.Cursor
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., cursor: _Optional[_Union[_types_pb2.Cursor, _Mapping]] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeOrdersResponse(_message.Message):
    __slots__ = ("updates", "epoch", "sequence", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderUpdate]
    epoch: str
    sequence: int
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.OrderUpdate, _Mapping]]] = ..., epoch: _Optional[str] = ..., sequence: _Optional[int] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeKlinesRequest(_message.Message):
    __slots__ = ("symbol", "interval", "cursor", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    interval: str
    cursor: _types_pb2.Cursor
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., interval: _Optional[str] = ..., cursor: _Optional[_Union[_types_pb2.Cursor, _Mapping]] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeKlinesResponse(_message.Message):
    __slots__ = ("updates", "epoch", "sequence", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.Kline]
    epoch: str
    sequence: int
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.Kline, _Mapping]]] = ..., epoch: _Optional[str] = ..., sequence: _Optional[int] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeAccountRequest(_message.Message):
    __slots__ = ("cursor", "position")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    cursor: _types_pb2.Cursor
    position: _types_pb2.StreamPosition
    def __init__(self, cursor: _Optional[_Union[_types_pb2.Cursor, _Mapping]] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeAccountResponse(_message.Message):
    __slots__ = ("updates", "epoch", "sequence", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.Account]
    epoch: str
    sequence: int
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.Account, _Mapping]]] = ..., epoch: _Optional[str] = ..., sequence: _Optional[int] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribePositionsRequest(_message.Message):
    __slots__ = ("symbol", "cursor", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    cursor: _types_pb2.Cursor
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., cursor: _Optional[_Union[_types_pb2.Cursor, _Mapping]] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribePositionsResponse(_message.Message):
    __slots__ = ("updates", "epoch", "sequence", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.Position]
    epoch: str
    sequence: int
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.Position, _Mapping]]] = ..., epoch: _Optional[str] = ..., sequence: _Optional[int] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...
