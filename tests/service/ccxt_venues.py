"""The five simulated venues as ccxt sees them: how a client of each is made, and where their answers differ.

ccxt itself is unmodified; only its URLs are set. A difference is an entry of the table, never a branch in a test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ccxt.pro

from opensqt.simulator import Simulator
from opensqt.simulator.settings import ServerRules
from tests.service import bybit_clients, okx_clients, venue_clients

SYMBOL = "BTC/USDT:USDT"
UNPACED = ServerRules(weight_per_minute=6_000_000, orders_per_10s=1_000_000)
"""The client is told not to pace itself, so the venue must not mind."""


Named = Callable[[Any, str], Awaitable[Any]]
"""Takes the ccxt client and a client order id."""


@dataclass(frozen=True, kw_only=True)
class CcxtVenue:
    """One row of the table."""

    name: str
    connect: Callable[[Simulator], AbstractAsyncContextManager[Any]]
    contract: Decimal = Decimal(1)
    """Base coins of one of ccxt's units of amount."""
    rules: dict[str, Any] = field(default_factory=dict)
    """More settings of the simulator."""
    prefix: str = ""
    """Of client order ids."""
    id_param: str = "clientOrderId"
    """What an order is named by when it is placed."""
    find: Named = lambda exchange, name: exchange.fetch_order(None, SYMBOL, {"clientOrderId": name})
    """Looks an order up by its client order id."""
    cancel: Named = lambda exchange, name: exchange.cancel_order(None, SYMBOL, {"clientOrderId": name})
    """Cancels an order by its client order id."""
    cancel_batch_params: dict[str, Any] = field(default_factory=dict)
    fetch_params: dict[str, Any] = field(default_factory=dict)
    cancels_all: bool = True
    amends: bool = True
    """Whether an order is amended in place."""
    refused_in_batch: dict[str, Any]
    """Changes to an order of a batch, a buy far below the market, that the venue refuses."""
    batch_code: str
    """In the venue's answer to that item."""
    order_call: str
    """ccxt's name of the venue's own call that places an order."""
    order_fields: dict[str, Any]
    """An order of that call that the venue would take, far below the market."""
    refusals: list[tuple[dict[str, Any], str]]
    """Changes to that order, and what the venue's refusal of each contains."""
    set_leverage: dict[str, Any] = field(default_factory=dict)
    hedge_long: dict[str, Any] = field(default_factory=dict)
    hedge_short: dict[str, Any] = field(default_factory=dict)
    hedge_refusal: str | None
    """What a hedge-mode account answers to an order without a side; None where it has no such thing."""
    one_way_order: dict[str, Any] | None
    """An order's parameters of hedge mode; None where orders of the two modes look alike."""
    one_way_refusal: str = ""
    mode_with_position: str
    """What the venue answers to a change of mode while a position is held."""
    order_channel: str
    fill_channel: str
    balance_channel: str
    """Parts of the simulator's topics of these channels; empty where one topic, named by a listen key, carries all."""

    def amount(self, base: str) -> str:
        """Base coins in ccxt's units."""
        return format(Decimal(base) / self.contract, "f")

    def simulator(self, **more: Any) -> Simulator:
        """A simulated venue that is not started yet."""
        return Simulator(venue_clients.settings(exchange=self.name, **self.rules, **more))


@asynccontextmanager
async def bitget_on(simulator: Simulator, **more: Any) -> AsyncIterator[Any]:
    keys = {"apiKey": "sim-key", "secret": "sim-secret", "password": "sim-pass"}
    options = {"defaultType": "swap", "defaultSubType": "linear"}
    exchange = ccxt.pro.bitget({**keys, "enableRateLimit": False, "options": options, **more})
    urls = exchange.urls["api"]
    for name in [name for name in urls if name not in ("ws", "demo")]:
        urls[name] = simulator.url
    for kind in ("ws", "demo"):
        for access in ("public", "private"):
            urls[kind][access] = f"{simulator.url.replace('http', 'ws', 1)}/v2/ws/{access}"
    try:
        yield exchange
    finally:
        await exchange.close()


@asynccontextmanager
async def gate_on(simulator: Simulator) -> AsyncIterator[Any]:
    exchange = ccxt.pro.gate(
        {
            "apiKey": "sim-key",
            "secret": "sim-secret",
            "uid": "20000001",
            "enableRateLimit": False,
            "options": {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
        }
    )
    for access in ("public", "private"):
        urls = exchange.urls["api"][access]
        urls.update(dict.fromkeys(urls, f"{simulator.url}/api/v4"))
    exchange.urls["api"]["swap"]["usdt"] = simulator.url.replace("http", "ws", 1) + "/v4/ws/futures/usdt"
    exchange.has["fetchCurrencies"] = False
    try:
        yield exchange
    finally:
        await exchange.close()


async def _find_among_open(exchange: Any, name: str) -> Any:
    """ccxt looks an order of Bybit up by this id only in the list of open ones."""
    (found,) = await exchange.fetch_open_orders(SYMBOL, None, None, {"orderLinkId": name})
    return found


VENUES = [
    CcxtVenue(
        name="binance",
        connect=venue_clients.ccxt_on,
        find=lambda exchange, name: exchange.fetch_order(None, SYMBOL, {"origClientOrderId": name}),
        cancel=lambda exchange, name: exchange.cancel_order(None, SYMBOL, {"origClientOrderId": name}),
        refused_in_batch={"amount": "900"},
        batch_code="-2019",
        order_call="fapiPrivatePostOrder",
        order_fields={"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        | {"quantity": "0.01", "price": "44000"},
        refusals=[
            ({"quantity": "0.0001"}, "-1111"),
            ({"quantity": "0.0005"}, "-1111"),
            ({"quantity": "0.001", "price": "200000"}, "-4016"),
            ({"quantity": "900"}, "-2019"),
        ],
        hedge_long={"positionSide": "LONG"},
        hedge_short={"positionSide": "SHORT"},
        hedge_refusal="-4061",
        one_way_order={"positionSide": "LONG"},
        one_way_refusal="-4061",
        mode_with_position="-4068",
        order_channel="",
        fill_channel="",
        balance_channel="",
    ),
    CcxtVenue(
        name="bitget",
        amends=False,
        connect=bitget_on,
        rules={"past_minutes": 60, "server": UNPACED},
        refused_in_batch={"amount": "0.001", "price": "1"},
        batch_code="45110",
        order_call="privateMixPostV2MixOrderPlaceOrder",
        order_fields={"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
        | {"side": "buy", "orderType": "limit", "force": "gtc", "size": "0.01", "price": "44000.0"},
        refusals=[
            ({"size": "0.0005"}, '"40808"'),
            ({"price": "45000.05"}, '"45115"'),
            ({"size": "900"}, '"40762"'),
            ({"price": "1", "size": "0.001"}, '"45110"'),
            ({"reduceOnly": "YES", "side": "sell"}, '"22002"'),
            ({"symbol": "NOPEUSDT"}, '"40034"'),
            ({"clientOid": "no spaces"}, '"40305"'),
            ({"marginMode": "isolated"}, '"45117"'),
            ({"productType": "COIN-FUTURES"}, '"40020"'),
            ({"size": ""}, '"40019"'),
        ],
        hedge_long={"hedged": True},
        hedge_short={"hedged": True},
        hedge_refusal="40774",
        one_way_order={"hedged": True},
        one_way_refusal="40774",
        mode_with_position="40920",
        order_channel="|orders",
        fill_channel="|fill",
        balance_channel="|account",
    ),
    CcxtVenue(
        name="bybit",
        connect=bybit_clients.ccxt_on,
        find=_find_among_open,
        cancel=lambda exchange, name: exchange.cancel_order(None, SYMBOL, {"orderLinkId": name}),
        fetch_params={"acknowledged": True},  # ccxt warns that a single order is looked up among the last 500 only
        refused_in_batch={"amount": "900"},
        batch_code="110007",
        order_call="private_post_v5_order_create",
        order_fields={"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
        | {"qty": "0.01", "price": "44000"},
        refusals=[
            ({"qty": "0.0005"}, '"retCode":10001'),
            ({"price": "100000"}, '"retCode":110003'),
            ({"qty": "900"}, '"retCode":110007'),
            ({"price": "100"}, '"retCode":110094'),
            ({"reduceOnly": True, "side": "Sell"}, '"retCode":110017'),
            ({"orderLinkId": "not allowed"}, '"retCode":10001'),
            ({"symbol": "NOPEUSDT"}, '"retCode":10001'),
        ],
        hedge_long={"positionIdx": 1},
        hedge_short={"positionIdx": 2},
        hedge_refusal="position idx not match position mode",
        one_way_order={"positionIdx": 1},
        one_way_refusal="position idx not match position mode",
        mode_with_position="110024",
        order_channel=" order",
        fill_channel=" execution",
        balance_channel=" wallet",
    ),
    CcxtVenue(
        name="gate",
        connect=gate_on,
        contract=Decimal("0.001"),
        rules={"past_minutes": 60},
        prefix="t-",
        id_param="text",
        cancel=lambda exchange, name: exchange.cancel_order(name, SYMBOL),
        cancel_batch_params={"settle": "usdt"},
        refused_in_batch={"price": "60000"},
        batch_code="PRICE_TOO_DEVIATED",
        order_call="privateFuturesPostSettleOrders",
        order_fields={"settle": "usdt", "contract": "BTC_USDT", "size": 10, "price": "44000"},
        refusals=[
            ({"size": "10.5"}, "INVALID_PARAM_VALUE"),
            ({"price": "45000.05"}, "INVALID_PARAM_VALUE"),
            ({"price": "60000"}, "PRICE_TOO_DEVIATED"),
            ({"size": 900_000}, "INSUFFICIENT_AVAILABLE"),
            ({"size": 2_000_000}, "SIZE_TOO_LARGE"),
            ({"reduce_only": True}, "REDUCE_EXCEEDED"),
            ({"contract": "NOPE_USDT"}, "CONTRACT_NOT_FOUND"),
            ({"text": "mine"}, "INVALID_PARAM_VALUE"),
            ({"text": "t-" + "x" * 29}, "INVALID_PARAM_VALUE"),
        ],
        set_leverage={"marginMode": "cross"},
        hedge_refusal=None,
        one_way_order=None,
        mode_with_position="POSITION_HOLDING",
        order_channel="futures.orders ",
        fill_channel="futures.usertrades ",
        balance_channel="futures.balances ",
    ),
    CcxtVenue(
        name="okx",
        connect=okx_clients.ccxt_okx,
        contract=Decimal("0.01"),
        cancels_all=False,
        refused_in_batch={"amount": "90000"},
        batch_code="51008",
        order_call="privatePostTradeOrder",
        order_fields={"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit"}
        | {"sz": "1", "px": "44000"},
        refusals=[
            ({"sz": "0.15"}, "51121"),
            ({"sz": "0.05"}, "51020"),
            ({"sz": "90000"}, "51008"),
            ({"sz": "-1"}, "51000"),
            ({"px": "45000.05"}, "51006"),
            ({"px": "90000"}, "51006"),
            ({"instId": "NOPE-USDT-SWAP"}, "51001"),
            ({"clOrdId": "with-hyphen"}, "51000"),
            ({"side": "sell", "reduceOnly": True, "px": "45100"}, "51169"),
            ({"tdMode": "isolated"}, "50062"),
        ],
        hedge_long={"positionSide": "long"},
        hedge_short={"positionSide": "short"},
        hedge_refusal="posSide",
        one_way_order={"positionSide": "long"},
        one_way_refusal="posSide",
        mode_with_position="59000",
        order_channel='"orders","instId"',
        fill_channel='"orders","instType"',
        balance_channel='"account"',
    ),
]
