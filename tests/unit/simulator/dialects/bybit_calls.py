"""Calls that send each of Bybit's parameters once, as a client would."""

from __future__ import annotations

from typing import Any

from tests.unit.simulator.dialects.asking import Asker

ONE = {"category": "linear", "symbol": "BTCUSDT"}
ALL = {"category": "linear", "baseCoin": "BTC", "settleCoin": "USDT"}
PAGE = {"limit": "5", "cursor": "0"}


def make(asker: Asker) -> None:
    """Make the calls."""
    market(asker)
    account(asker)
    orders(asker)
    stops(asker)
    history(asker)


def market(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    ask("GET /v5/market/instruments-info", **ONE, status="Trading", baseCoin="BTC", **PAGE)
    for path in ("tickers", "risk-limit"):
        ask(f"GET /v5/market/{path}", **ONE)
    for path in ("orderbook", "recent-trade"):
        ask(f"GET /v5/market/{path}", **ONE, limit=5)
    for path in ("kline", "mark-price-kline", "index-price-kline", "premium-index-price-kline"):
        ask(f"GET /v5/market/{path}", **ONE, interval="1", start=now - 600_000, end=now, limit=5)
    times = {"startTime": now - 600_000, "endTime": now}
    ask("GET /v5/market/open-interest", **ONE, **times, **PAGE, intervalTime="5min")
    ask("GET /v5/position/closed-pnl", **ONE, **times, **PAGE)
    ask("GET /v5/market/funding/history", **ONE, startTime=now - 600_000, endTime=now, limit=5)


def account(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    ask("GET /v5/account/wallet-balance", accountType="UNIFIED", coin="USDT")
    ask("GET /v5/account/fee-rate", **ONE)
    ask("GET /v5/asset/coin/query-info", coin="USDT")
    log = {"accountType": "UNIFIED", "category": "linear", "currency": "USDT", "baseCoin": "BTC", "type": "TRADE"}
    ask("GET /v5/account/transaction-log", **log, startTime=now - 600_000, endTime=now, **PAGE)
    ask("GET /v5/position/list", **ONE, **PAGE)
    ask("GET /v5/position/list", category="linear", settleCoin="USDT")
    ask("POST /v5/account/set-margin-mode", {"setMarginMode": "REGULAR_MARGIN"})
    ask("POST /v5/position/set-leverage", {**ONE, "buyLeverage": "7", "sellLeverage": "7"})
    asker.refused("110025", "POST /v5/position/switch-mode", {**ONE, "mode": "0"})
    asker.refused("110025", "POST /v5/position/switch-mode", {"category": "linear", "coin": "USDT", "mode": "0"})
    ask("POST /v5/order/disconnected-cancel-all", {"product": "DERIVATIVES", "timeWindow": 40})


def orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, high, lower = (f"{mark * share / 100:.1f}" for share in (97, 103, 96))
    create = "POST /v5/order/create"
    limit: dict[str, Any] = {**ONE, "side": "Buy", "orderType": "Limit", "qty": "0.010", "positionIdx": 0}
    more = {"timeInForce": "GTC", "reduceOnly": False, "closeOnTrigger": False, "price": f"{mark * 99 / 100:.1f}"}
    tpsl = {"takeProfit": high, "stopLoss": low, "tpTriggerBy": "MarkPrice", "slTriggerBy": "MarkPrice"}
    parts = {"tpslMode": "Partial", "tpOrderType": "Limit", "slOrderType": "Limit"}
    order_id = ask(create, {**limit, **more, "orderLinkId": "a1"})["result"]["orderId"]
    ask(create, {**limit, **more, **tpsl, **parts, "tpLimitPrice": high, "slLimitPrice": low})
    ask(create, {**limit, "bboSideType": "Queue", "bboLevel": "2"})
    trigger = {"triggerPrice": low, "triggerBy": "MarkPrice", "triggerDirection": 2}
    ask(create, {**limit, "orderType": "Market", **trigger, "orderLinkId": "a2"})
    ask("POST /v5/order/create-batch", {"category": "linear", "request": [{**limit, **more}]})
    named = {**ONE, "orderId": order_id, "orderLinkId": "a1"}
    for scope in (ONE, ALL):
        ask("GET /v5/order/realtime", **scope, **PAGE, orderFilter="Order", openOnly=0)
    ask("GET /v5/order/realtime", **named)
    ask("GET /v5/order/history", **named)
    ask("GET /v5/execution/list", **named)
    ask("GET /v5/execution/list", **ONE, orderLinkId="a1")
    ask("POST /v5/order/amend", {**named, "qty": "0.011", "price": low})
    ask("POST /v5/order/amend", {**ONE, "orderLinkId": "a2", "triggerPrice": lower, "triggerBy": "LastPrice"})
    ask("POST /v5/order/amend-batch", {"category": "linear", "request": [{**named, "qty": "0.012"}]})
    ask("POST /v5/order/cancel", named)
    ask("POST /v5/order/cancel-batch", {"category": "linear", "request": [named]})
    ask("POST /v5/order/cancel-all", {**ONE, "orderFilter": "StopOrder", "stopOrderType": "Stop"})
    ask("POST /v5/order/cancel-all", ALL)


def stops(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, high = f"{mark * 97 / 100:.1f}", f"{mark * 103 / 100:.1f}"
    ask("POST /v5/order/create", {**ONE, "side": "Buy", "orderType": "Market", "qty": "0.100"})
    stop = {"takeProfit": high, "stopLoss": low, "tpTriggerBy": "MarkPrice", "slTriggerBy": "MarkPrice"}
    part = {"tpslMode": "Partial", "tpSize": "0.010", "slSize": "0.010", "tpOrderType": "Limit", "slOrderType": "Limit"}
    limits = {"tpLimitPrice": high, "slLimitPrice": low, "positionIdx": 0}
    ask("POST /v5/position/trading-stop", {**ONE, **stop, **part, **limits})
    ask("POST /v5/position/trading-stop", {**ONE, "trailingStop": "100", "activePrice": high, "positionIdx": 0})


def history(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    times = {"startTime": now - 600_000, "endTime": now}
    for scope in (ONE, ALL):
        ask("GET /v5/order/history", **scope, **PAGE, **times, orderFilter="Order", orderStatus="Cancelled")
        trades = {name: value for name, value in scope.items() if name != "settleCoin"}
        ask("GET /v5/execution/list", **trades, **times, **PAGE, execType="Trade")
