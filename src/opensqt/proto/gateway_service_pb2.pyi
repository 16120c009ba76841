from opensqt.proto import exchange_service_pb2 as _exchange_service_pb2
from opensqt.proto import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Halt(_message.Message):
    __slots__ = ("halt_id", "symbol", "client", "reason", "since_ms", "expires_ms")
    HALT_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    halt_id: str
    symbol: str
    client: str
    reason: str
    since_ms: int
    expires_ms: int
    def __init__(self, halt_id: _Optional[str] = ..., symbol: _Optional[str] = ..., client: _Optional[str] = ..., reason: _Optional[str] = ..., since_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class HaltTradingRequest(_message.Message):
    __slots__ = ("symbol", "halt_id", "reason", "ttl_ms")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    HALT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    halt_id: str
    reason: str
    ttl_ms: int
    def __init__(self, symbol: _Optional[str] = ..., halt_id: _Optional[str] = ..., reason: _Optional[str] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class HaltTradingResponse(_message.Message):
    __slots__ = ("halt", "in_flight", "open")
    HALT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    halt: Halt
    in_flight: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderRef]
    open: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderRef]
    def __init__(self, halt: _Optional[_Union[Halt, _Mapping]] = ..., in_flight: _Optional[_Iterable[_Union[_types_pb2.OrderRef, _Mapping]]] = ..., open: _Optional[_Iterable[_Union[_types_pb2.OrderRef, _Mapping]]] = ...) -> None: ...

class ResumeTradingRequest(_message.Message):
    __slots__ = ("symbol", "halt_id")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    HALT_ID_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    halt_id: str
    def __init__(self, symbol: _Optional[str] = ..., halt_id: _Optional[str] = ...) -> None: ...

class ResumeTradingResponse(_message.Message):
    __slots__ = ("lifted", "standing")
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    lifted: _containers.RepeatedCompositeFieldContainer[Halt]
    standing: _containers.RepeatedCompositeFieldContainer[Halt]
    def __init__(self, lifted: _Optional[_Iterable[_Union[Halt, _Mapping]]] = ..., standing: _Optional[_Iterable[_Union[Halt, _Mapping]]] = ...) -> None: ...

class AmendOrderRequest(_message.Message):
    __slots__ = ("order", "amend_id", "price", "quantity", "claim_number")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    AMEND_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    CLAIM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.OrderRef
    amend_id: str
    price: str
    quantity: str
    claim_number: int
    def __init__(self, order: _Optional[_Union[_types_pb2.OrderRef, _Mapping]] = ..., amend_id: _Optional[str] = ..., price: _Optional[str] = ..., quantity: _Optional[str] = ..., claim_number: _Optional[int] = ...) -> None: ...

class AmendOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _types_pb2.Order
    def __init__(self, order: _Optional[_Union[_types_pb2.Order, _Mapping]] = ...) -> None: ...

class Check(_message.Message):
    __slots__ = ("name", "ok", "reason", "since_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    ok: bool
    reason: str
    since_ms: int
    def __init__(self, name: _Optional[str] = ..., ok: _Optional[bool] = ..., reason: _Optional[str] = ..., since_ms: _Optional[int] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "connected", "data_age_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    DATA_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    connected: bool
    data_age_ms: int
    def __init__(self, name: _Optional[str] = ..., connected: _Optional[bool] = ..., data_age_ms: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("healthy", "checks", "version", "started_ms", "channels", "clock_offset_ms", "unresolved_orders", "halts", "claims", "notices", "dead_machine", "account_mode")
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    HALTS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    DEAD_MACHINE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_MODE_FIELD_NUMBER: _ClassVar[int]
    healthy: bool
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    version: str
    started_ms: int
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    clock_offset_ms: int
    unresolved_orders: int
    halts: _containers.RepeatedCompositeFieldContainer[Halt]
    claims: _containers.RepeatedCompositeFieldContainer[TradingClaim]
    notices: _containers.RepeatedCompositeFieldContainer[_types_pb2.AccountNotice]
    dead_machine: DeadMachine
    account_mode: str
    def __init__(self, healthy: _Optional[bool] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ..., version: _Optional[str] = ..., started_ms: _Optional[int] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., clock_offset_ms: _Optional[int] = ..., unresolved_orders: _Optional[int] = ..., halts: _Optional[_Iterable[_Union[Halt, _Mapping]]] = ..., claims: _Optional[_Iterable[_Union[TradingClaim, _Mapping]]] = ..., notices: _Optional[_Iterable[_Union[_types_pb2.AccountNotice, _Mapping]]] = ..., dead_machine: _Optional[_Union[DeadMachine, _Mapping]] = ..., account_mode: _Optional[str] = ...) -> None: ...

class DeadMachine(_message.Message):
    __slots__ = ("timeout_ms", "cancels", "countdowns", "elapsed")
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    COUNTDOWNS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    timeout_ms: int
    cancels: str
    countdowns: _containers.RepeatedCompositeFieldContainer[Countdown]
    elapsed: _containers.RepeatedCompositeFieldContainer[ElapsedCountdown]
    def __init__(self, timeout_ms: _Optional[int] = ..., cancels: _Optional[str] = ..., countdowns: _Optional[_Iterable[_Union[Countdown, _Mapping]]] = ..., elapsed: _Optional[_Iterable[_Union[ElapsedCountdown, _Mapping]]] = ...) -> None: ...

class Countdown(_message.Message):
    __slots__ = ("symbol", "armed_until_ms", "clients", "trouble")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ARMED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    armed_until_ms: int
    clients: _containers.RepeatedScalarFieldContainer[str]
    trouble: str
    def __init__(self, symbol: _Optional[str] = ..., armed_until_ms: _Optional[int] = ..., clients: _Optional[_Iterable[str]] = ..., trouble: _Optional[str] = ...) -> None: ...

class ElapsedCountdown(_message.Message):
    __slots__ = ("symbol", "ended_ms", "canceled_orders")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ENDED_MS_FIELD_NUMBER: _ClassVar[int]
    CANCELED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    ended_ms: int
    canceled_orders: int
    def __init__(self, symbol: _Optional[str] = ..., ended_ms: _Optional[int] = ..., canceled_orders: _Optional[int] = ...) -> None: ...

class ListFillsRequest(_message.Message):
    __slots__ = ("symbol", "since_ms", "page_size", "page_token")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    since_ms: int
    page_size: int
    page_token: str
    def __init__(self, symbol: _Optional[str] = ..., since_ms: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFillsResponse(_message.Message):
    __slots__ = ("fills", "next_page_token")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_types_pb2.Fill]
    next_page_token: str
    def __init__(self, fills: _Optional[_Iterable[_Union[_types_pb2.Fill, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListFundingPaymentsRequest(_message.Message):
    __slots__ = ("symbol", "since_ms", "page_size", "page_token")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    since_ms: int
    page_size: int
    page_token: str
    def __init__(self, symbol: _Optional[str] = ..., since_ms: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFundingPaymentsResponse(_message.Message):
    __slots__ = ("payments", "next_page_token")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[_types_pb2.FundingPayment]
    next_page_token: str
    def __init__(self, payments: _Optional[_Iterable[_Union[_types_pb2.FundingPayment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SubscribeFundingPaymentsRequest(_message.Message):
    __slots__ = ("symbol", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeFundingPaymentsResponse(_message.Message):
    __slots__ = ("updates", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.FundingPayment]
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.FundingPayment, _Mapping]]] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SetLeverageRequest(_message.Message):
    __slots__ = ("symbol", "leverage")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    leverage: int
    def __init__(self, symbol: _Optional[str] = ..., leverage: _Optional[int] = ...) -> None: ...

class SetLeverageResponse(_message.Message):
    __slots__ = ("leverage",)
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    leverage: str
    def __init__(self, leverage: _Optional[str] = ...) -> None: ...

class SetMarginModeRequest(_message.Message):
    __slots__ = ("symbol", "margin_mode")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    margin_mode: _types_pb2.MarginMode
    def __init__(self, symbol: _Optional[str] = ..., margin_mode: _Optional[_Union[_types_pb2.MarginMode, str]] = ...) -> None: ...

class SetMarginModeResponse(_message.Message):
    __slots__ = ("margin_mode",)
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    margin_mode: _types_pb2.MarginMode
    def __init__(self, margin_mode: _Optional[_Union[_types_pb2.MarginMode, str]] = ...) -> None: ...

class SetPositionModeRequest(_message.Message):
    __slots__ = ("position_mode",)
    POSITION_MODE_FIELD_NUMBER: _ClassVar[int]
    position_mode: _types_pb2.PositionMode
    def __init__(self, position_mode: _Optional[_Union[_types_pb2.PositionMode, str]] = ...) -> None: ...

class SetPositionModeResponse(_message.Message):
    __slots__ = ("position_mode",)
    POSITION_MODE_FIELD_NUMBER: _ClassVar[int]
    position_mode: _types_pb2.PositionMode
    def __init__(self, position_mode: _Optional[_Union[_types_pb2.PositionMode, str]] = ...) -> None: ...

class GetRateBudgetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RateLimit(_message.Message):
    __slots__ = ("name", "limit", "left", "window_ms", "used_by_client")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    USED_BY_CLIENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    limit: int
    left: int
    window_ms: int
    used_by_client: int
    def __init__(self, name: _Optional[str] = ..., limit: _Optional[int] = ..., left: _Optional[int] = ..., window_ms: _Optional[int] = ..., used_by_client: _Optional[int] = ...) -> None: ...

class GetRateBudgetResponse(_message.Message):
    __slots__ = ("client", "limits", "silent_ms", "waiting")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SILENT_MS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    client: str
    limits: _containers.RepeatedCompositeFieldContainer[RateLimit]
    silent_ms: int
    waiting: int
    def __init__(self, client: _Optional[str] = ..., limits: _Optional[_Iterable[_Union[RateLimit, _Mapping]]] = ..., silent_ms: _Optional[int] = ..., waiting: _Optional[int] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("ttl_ms", "claim", "number")
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ttl_ms: int
    claim: TradingClaimRequest
    number: int
    def __init__(self, ttl_ms: _Optional[int] = ..., claim: _Optional[_Union[TradingClaimRequest, _Mapping]] = ..., number: _Optional[int] = ...) -> None: ...

class TradingClaimRequest(_message.Message):
    __slots__ = ("symbol", "strategy", "holder", "description", "number", "take_over")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TAKE_OVER_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    strategy: str
    holder: str
    description: str
    number: int
    take_over: bool
    def __init__(self, symbol: _Optional[str] = ..., strategy: _Optional[str] = ..., holder: _Optional[str] = ..., description: _Optional[str] = ..., number: _Optional[int] = ..., take_over: _Optional[bool] = ...) -> None: ...

class TradingClaim(_message.Message):
    __slots__ = ("symbol", "strategy", "client", "description", "number", "since_ms", "expires_ms")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    strategy: str
    client: str
    description: str
    number: int
    since_ms: int
    expires_ms: int
    def __init__(self, symbol: _Optional[str] = ..., strategy: _Optional[str] = ..., client: _Optional[str] = ..., description: _Optional[str] = ..., number: _Optional[int] = ..., since_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("client", "expires_ms", "lapsed", "open_orders", "claim", "number")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    LAPSED_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    client: str
    expires_ms: int
    lapsed: bool
    open_orders: int
    claim: TradingClaim
    number: int
    def __init__(self, client: _Optional[str] = ..., expires_ms: _Optional[int] = ..., lapsed: _Optional[bool] = ..., open_orders: _Optional[int] = ..., claim: _Optional[_Union[TradingClaim, _Mapping]] = ..., number: _Optional[int] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("received", "read")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    received: int
    read: int
    def __init__(self, received: _Optional[int] = ..., read: _Optional[int] = ...) -> None: ...

class ReadStreamRequest(_message.Message):
    __slots__ = ("price", "orders", "klines", "account", "positions", "acknowledgement", "order_book", "trades", "mark_price", "funding_payments")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    KLINES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    ORDER_BOOK_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    FUNDING_PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    price: _exchange_service_pb2.SubscribePriceRequest
    orders: _exchange_service_pb2.SubscribeOrdersRequest
    klines: _exchange_service_pb2.SubscribeKlinesRequest
    account: _exchange_service_pb2.SubscribeAccountRequest
    positions: _exchange_service_pb2.SubscribePositionsRequest
    acknowledgement: Acknowledgement
    order_book: SubscribeOrderBookRequest
    trades: SubscribeTradesRequest
    mark_price: SubscribeMarkPriceRequest
    funding_payments: SubscribeFundingPaymentsRequest
    def __init__(self, price: _Optional[_Union[_exchange_service_pb2.SubscribePriceRequest, _Mapping]] = ..., orders: _Optional[_Union[_exchange_service_pb2.SubscribeOrdersRequest, _Mapping]] = ..., klines: _Optional[_Union[_exchange_service_pb2.SubscribeKlinesRequest, _Mapping]] = ..., account: _Optional[_Union[_exchange_service_pb2.SubscribeAccountRequest, _Mapping]] = ..., positions: _Optional[_Union[_exchange_service_pb2.SubscribePositionsRequest, _Mapping]] = ..., acknowledgement: _Optional[_Union[Acknowledgement, _Mapping]] = ..., order_book: _Optional[_Union[SubscribeOrderBookRequest, _Mapping]] = ..., trades: _Optional[_Union[SubscribeTradesRequest, _Mapping]] = ..., mark_price: _Optional[_Union[SubscribeMarkPriceRequest, _Mapping]] = ..., funding_payments: _Optional[_Union[SubscribeFundingPaymentsRequest, _Mapping]] = ...) -> None: ...

class ReadStreamResponse(_message.Message):
    __slots__ = ("price", "orders", "klines", "account", "positions", "order_book", "trades", "mark_price", "funding_payments", "sent_ns")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    KLINES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BOOK_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    FUNDING_PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    price: _exchange_service_pb2.SubscribePriceResponse
    orders: _exchange_service_pb2.SubscribeOrdersResponse
    klines: _exchange_service_pb2.SubscribeKlinesResponse
    account: _exchange_service_pb2.SubscribeAccountResponse
    positions: _exchange_service_pb2.SubscribePositionsResponse
    order_book: SubscribeOrderBookResponse
    trades: SubscribeTradesResponse
    mark_price: SubscribeMarkPriceResponse
    funding_payments: SubscribeFundingPaymentsResponse
    sent_ns: int
    def __init__(self, price: _Optional[_Union[_exchange_service_pb2.SubscribePriceResponse, _Mapping]] = ..., orders: _Optional[_Union[_exchange_service_pb2.SubscribeOrdersResponse, _Mapping]] = ..., klines: _Optional[_Union[_exchange_service_pb2.SubscribeKlinesResponse, _Mapping]] = ..., account: _Optional[_Union[_exchange_service_pb2.SubscribeAccountResponse, _Mapping]] = ..., positions: _Optional[_Union[_exchange_service_pb2.SubscribePositionsResponse, _Mapping]] = ..., order_book: _Optional[_Union[SubscribeOrderBookResponse, _Mapping]] = ..., trades: _Optional[_Union[SubscribeTradesResponse, _Mapping]] = ..., mark_price: _Optional[_Union[SubscribeMarkPriceResponse, _Mapping]] = ..., funding_payments: _Optional[_Union[SubscribeFundingPaymentsResponse, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeOrderBookRequest(_message.Message):
    __slots__ = ("symbol", "depth", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    depth: int
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., depth: _Optional[int] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeOrderBookResponse(_message.Message):
    __slots__ = ("updates", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.OrderBook]
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.OrderBook, _Mapping]]] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeTradesRequest(_message.Message):
    __slots__ = ("symbol", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeTradesResponse(_message.Message):
    __slots__ = ("updates", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.PublicTrade]
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.PublicTrade, _Mapping]]] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...

class SubscribeMarkPriceRequest(_message.Message):
    __slots__ = ("symbol", "position")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    position: _types_pb2.StreamPosition
    def __init__(self, symbol: _Optional[str] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ...) -> None: ...

class SubscribeMarkPriceResponse(_message.Message):
    __slots__ = ("updates", "snapshot", "gap", "position", "sent_ns")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[_types_pb2.MarkPrice]
    snapshot: bool
    gap: bool
    position: _types_pb2.StreamPosition
    sent_ns: int
    def __init__(self, updates: _Optional[_Iterable[_Union[_types_pb2.MarkPrice, _Mapping]]] = ..., snapshot: _Optional[bool] = ..., gap: _Optional[bool] = ..., position: _Optional[_Union[_types_pb2.StreamPosition, _Mapping]] = ..., sent_ns: _Optional[int] = ...) -> None: ...
