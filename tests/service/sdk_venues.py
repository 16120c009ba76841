"""The simulated venues as their official SDKs see them: one adapter for each SDK, and where their answers differ.

The SDKs are unmodified; only their addresses are set. Bitget publishes none. A difference is an entry of the table or a
method of an adapter, never a branch in a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opensqt.simulator import Simulator
from tests.service import venue_clients
from tests.service.sdk_binance import Binance
from tests.service.sdk_bybit import Bybit
from tests.service.sdk_client import Answer, Sdk
from tests.service.sdk_gate import Gate
from tests.service.sdk_okx import Okx


@dataclass(frozen=True, kw_only=True)
class SdkVenue:
    """One row of the table. A dictionary holds what an answer must show; it may hold more."""

    name: str
    sdk: Callable[..., Sdk]
    order_id: str = "orderId"
    """The name of the venue's order id in an answer."""
    placed: Answer
    """Of an order with the client order id `sdk1`."""
    found: Answer
    canceled: Answer = field(default_factory=dict)
    """The answer to the cancel."""
    closed: Answer
    """The order afterwards."""
    batch: tuple[Answer, Answer, Answer]
    batch_canceled: Answer = field(default_factory=dict)
    unknown_order: tuple[Any, ...]
    wrong_secret: tuple[Any, ...]
    account: Answer
    leverage: Answer
    bought: Answer = field(default_factory=dict)
    """The answer to a market order."""
    position: Answer
    """After a market order that sold 0.010 BTC at a leverage of 5."""
    fill_quantity: str
    sold: float
    """What the quantities of the fills come to, in the venue's units."""
    symbols: tuple[str, str] = ("BTCUSDT", "ETHUSDT")
    filled: Answer = field(default_factory=dict)
    """The order's last message on the private stream."""
    stream_order_id: str = ""
    quote: Answer = field(default_factory=dict)

    @property
    def streams(self) -> bool:
        """Whether the SDK has streams."""
        return bool(self.filled)

    def simulator(self) -> Simulator:
        """A simulated venue that is not started yet."""
        return Simulator(venue_clients.settings(exchange=self.name))


VENUES = [
    SdkVenue(
        name="binance",
        sdk=Binance,
        placed={"status": "NEW", "clientOrderId": "sdk1"},
        found={"status": "NEW", "origQty": "0.010"},
        canceled={"status": "CANCELED"},
        closed={"status": "CANCELED"},
        batch=({"status": "NEW"}, {"code": -4014}, {"status": "NEW"}),
        batch_canceled={"status": "CANCELED"},
        unknown_order=(400, -2011),
        wrong_secret=(400, -1022),
        account={"totalWalletBalance": "10000", "assets": ["USDT"]},
        leverage={"leverage": 5},
        position={"symbol": "BTCUSDT", "positionAmt": "-0.010", "positionSide": "BOTH"},
        fill_quantity="qty",
        sold=0.01,
        filled={"X": "FILLED", "z": "0.010", "N": "USDT"},
        stream_order_id="i",
        quote={"channel": "btcusdt@bookTicker", "symbol": "BTCUSDT"},
    ),
    SdkVenue(
        name="bybit",
        sdk=Bybit,
        placed={"orderLinkId": "sdk1"},
        found={"orderStatus": "New", "qty": "0.010"},
        closed={"orderStatus": "Cancelled", "cancelType": "CancelByUser"},
        batch=({}, {"orderId": ""}, {}),
        unknown_order=(110001,),
        wrong_secret=(10004,),
        account={"totalWalletBalance": "10000", "assets": ["USDT"]},
        leverage={"leverage": "5"},
        position={"side": "Sell", "size": "0.010", "leverage": "5"},
        fill_quantity="execQty",
        sold=0.01,
        filled={"orderStatus": "Filled"},
        stream_order_id="orderId",
        quote={"channel": "orderbook.50.BTCUSDT", "symbol": "BTCUSDT"},
    ),
    SdkVenue(
        name="gate",
        sdk=Gate,
        order_id="id",
        placed={"status": "open", "text": "t-sdk1", "size": "10", "left": "10"},
        found={"status": "open", "tif": "poc"},
        canceled={"status": "finished", "finish_as": "cancelled"},
        closed={"status": "finished", "finish_as": "cancelled"},
        batch=({"succeeded": True}, {"label": "INVALID_PARAM_VALUE"}, {"succeeded": True}),
        batch_canceled={"succeeded": True},
        unknown_order=(404, "ORDER_NOT_FOUND"),
        wrong_secret=(401, "INVALID_SIGNATURE"),
        account={"total": "10000", "currency": "USDT"},
        leverage={"cross_leverage_limit": "5"},
        bought={"status": "finished", "finish_as": "filled", "left": "0"},
        position={"size": "-10", "mode": "single", "leverage": "0"},
        fill_quantity="size",
        sold=-10,
        symbols=("BTC_USDT", "ETH_USDT"),
    ),
    SdkVenue(
        name="okx",
        sdk=Okx,
        order_id="ordId",
        placed={"clOrdId": "sdk1"},
        found={"state": "live", "sz": "1"},
        closed={"state": "canceled"},
        batch=({"sCode": "0"}, {"sCode": "51121"}, {"sCode": "0"}),
        batch_canceled={"sCode": "0"},
        unknown_order=("1", "51400"),
        wrong_secret=("50113",),
        account={"ccy": "USDT", "cashBal": "10000"},
        leverage={"lever": "5"},
        position={"pos": "-1", "posSide": "net", "mgnMode": "cross"},
        fill_quantity="fillSz",
        sold=1,
        symbols=("BTC-USDT-SWAP", "ETH-USDT-SWAP"),
        filled={"state": "filled", "accFillSz": "1", "fillFeeCcy": "USDT", "execType": "T"},
        stream_order_id="ordId",
        quote={"channel": "bbo-tbt", "symbol": "BTC-USDT-SWAP"},
    ),
]
