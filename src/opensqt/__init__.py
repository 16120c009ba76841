"""OpenSQT: an open gateway and market maker for crypto derivatives.

What a program of your own needs is here by name:

    async with opensqt.connect("localhost:50051") as exchange:
        print(await exchange.get_latest_price("BTCUSDT"))

The vocabulary is loaded at once, what connects only when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from opensqt.model import errors
from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position, PositionMode
from opensqt.model.client_order_id import new as new_client_order_id
from opensqt.model.errors import ConfigError
from opensqt.model.funding import FundingPayment
from opensqt.model.market import INTERVALS_MS, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import (
    AmendRequest,
    ClosedBy,
    CloseReason,
    Fee,
    Fill,
    FillKind,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.model.stream import Batch, Cursor, Stream
from opensqt.model.venue import (
    Capabilities,
    Channel,
    Check,
    ClaimRequest,
    ExchangeInfo,
    ExchangeStatus,
    Halt,
    HaltedOrders,
    Lease,
    MarginModeScope,
    RateBudget,
    RateLimit,
    SymbolRules,
    TradingClaim,
)

if TYPE_CHECKING:
    from opensqt.client.connect import connect
    from opensqt.client.exchange import RemoteExchange
    from opensqt.client.sync import SyncExchange, connect_sync
    from opensqt.model.exchange import Exchange
    from opensqt.testing.exchange import InMemoryExchange

from opensqt.version import __version__ as __version__

__all__ = [
    "INTERVALS_MS",
    "Account",
    "AccountNotice",
    "AmendRequest",
    "Batch",
    "Candle",
    "Capabilities",
    "Channel",
    "Check",
    "ClaimRequest",
    "CloseReason",
    "ClosedBy",
    "ConfigError",
    "Cursor",
    "Exchange",
    "ExchangeInfo",
    "ExchangeStatus",
    "Fee",
    "Fill",
    "FillKind",
    "FundingPayment",
    "Halt",
    "HaltedOrders",
    "InMemoryExchange",
    "Lease",
    "MarginMode",
    "MarginModeScope",
    "MarkPrice",
    "NoticeKind",
    "Order",
    "OrderBook",
    "OrderRef",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "OrderUpdate",
    "Position",
    "PositionMode",
    "PositionSide",
    "Price",
    "PublicTrade",
    "RateBudget",
    "RateLimit",
    "RemoteExchange",
    "Side",
    "Stream",
    "SymbolRules",
    "SyncExchange",
    "TimeInForce",
    "TradingClaim",
    "connect",
    "connect_sync",
    "errors",
    "new_client_order_id",
]

_HOMES = {
    "Exchange": "opensqt.model.exchange",
    "InMemoryExchange": "opensqt.testing.exchange",
    "RemoteExchange": "opensqt.client.exchange",
    "SyncExchange": "opensqt.client.sync",
    "connect": "opensqt.client.connect",
    "connect_sync": "opensqt.client.sync",
}


def __getattr__(name: str) -> Any:
    """Load what connects: gRPC and the settings take a third of a second, which not every process has to pay."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
