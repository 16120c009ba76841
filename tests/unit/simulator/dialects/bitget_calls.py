"""Calls that send each of Bitget's parameters once, as a client would."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import OrderType, Side
from opensqt.simulator.engine.order import NewOrder
from tests.unit.simulator.dialects.asking import Asker

MIX, V3 = "/api/v2/mix", "/api/v3"
ONE = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
COIN = {**ONE, "marginCoin": "USDT"}
CROSSED = {**COIN, "marginMode": "crossed"}
UNIFIED = {"category": "USDT-FUTURES", "symbol": "BTCUSDT"}


def make(asker: Asker) -> None:
    """Make the calls."""
    market(asker)
    account(asker)
    orders(asker)
    plans(asker)
    history(asker)
    unified(asker)


def times(asker: Asker) -> dict[str, Any]:
    now = asker.engine.now_ms()
    return {"idLessThan": 9_999_999, "startTime": now - 600_000, "endTime": now, "limit": 5}


def market(asker: Asker) -> None:
    ask, window = asker.ask, times(asker)
    bars = {name: window[name] for name in ("startTime", "endTime", "limit")}
    ask(f"GET {MIX}/market/open-interest", **ONE)
    for path in ("contracts", "ticker", "symbol-price", "current-fund-rate", "funding-time", "query-position-lever"):
        ask(f"GET {MIX}/market/{path}", **ONE)
    ask(f"GET {MIX}/market/tickers", productType="USDT-FUTURES")
    ask(f"GET {MIX}/market/candles", **ONE, **bars, granularity="1m", kLineType="MARK")
    for path in ("history-candles", "history-mark-candles", "history-index-candles"):
        ask(f"GET {MIX}/market/{path}", **ONE, **bars, granularity="1m")
    for path in ("merge-depth", "fills"):
        ask(f"GET {MIX}/market/{path}", **ONE, limit=5)
    ask(f"GET {MIX}/market/fills-history", **ONE, **window)
    ask(f"GET {MIX}/market/history-fund-rate", **ONE, pageSize=5, pageNo=1)


def account(asker: Asker) -> None:
    ask = asker.ask
    ask(f"GET {MIX}/account/account", **COIN)
    ask(f"GET {MIX}/account/accounts", productType="USDT-FUTURES")
    ask(f"GET {MIX}/position/single-position", **COIN)
    ask(f"GET {MIX}/position/all-position", productType="USDT-FUTURES", marginCoin="USDT")
    ask(f"GET {MIX}/position/history-position", **ONE, **times(asker))
    ask(f"GET {MIX}/account/max-open", **COIN, posSide="long", orderType="limit", openPrice="40000")
    ask(f"GET {MIX}/account/open-count", **COIN, openAmount="100", openPrice="40000", leverage=3)
    ask("GET /api/v2/common/trade-rate", symbol="BTCUSDT", businessType="mix")
    ask(f"POST {MIX}/account/set-leverage", {**COIN, "leverage": "7"})
    ask(f"POST {MIX}/account/set-margin-mode", {**COIN, "marginMode": "crossed"})
    ask(f"POST {MIX}/account/set-position-mode", {"productType": "USDT-FUTURES", "posMode": "one_way_mode"})


def orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, lower, lowest, high = (f"{mark * share / 100:.1f}" for share in (97, 96, 95, 103))
    presets: dict[str, Any] = {}
    for name, price in (("StopSurplus", high), ("StopLoss", lowest)):
        presets |= {f"preset{name}Price": price, f"preset{name}ExecutePrice": price, f"preset{name}Type": "mark_price"}
    limit = {"size": "0.010", "price": low, "side": "buy", "orderType": "limit", "force": "gtc"}
    order = {**CROSSED, **limit, "clientOid": "a1", "reduceOnly": "NO"}
    order_id = ask(f"POST {MIX}/order/place-order", {**order, **presets})["data"]["orderId"]
    asker.refused("", f"POST {MIX}/order/place-order", {**order, "clientOid": "a2", "tradeSide": "open"})
    ask(f"POST {MIX}/order/batch-place-order", {**CROSSED, "orderList": [limit]})
    named = {"orderId": order_id, "clientOid": "a1"}
    ask(f"GET {MIX}/order/detail", **ONE, **named)
    ask(f"GET {MIX}/order/orders-pending", **ONE, **named, **times(asker), status="live")
    ask(f"GET {MIX}/order/orders-pending", **ONE, clientOid="a1")
    change = {"newClientOid": "a3", "newSize": "0.011", "newPrice": lower}
    ask(f"POST {MIX}/order/modify-order", {**COIN, **named, **change})
    ask(f"POST {MIX}/order/cancel-order", {**COIN, "clientOid": "a3"})
    asker.refused("", f"POST {MIX}/order/cancel-order", {**COIN, **named})
    ask(f"POST {MIX}/order/batch-cancel-orders", {**COIN, "orderIdList": [named]})
    now = asker.engine.clock.server_ms()
    ask(f"POST {MIX}/order/cancel-all-orders", {**COIN, "requestTime": now, "receiveWindow": 60_000})


def plans(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, lower, high = (f"{mark * share / 100:.1f}" for share in (97, 96, 103))
    place = f"POST {MIX}/order/place-plan-order"
    plan = {**CROSSED, "planType": "normal_plan", "size": "0.010", "side": "buy", "clientOid": "p1", "reduceOnly": "NO"}
    trigger = {"triggerPrice": low, "triggerType": "mark_price", "orderType": "limit"}
    order_id = ask(place, {**plan, **trigger, "price": low})["data"]["orderId"]
    ask(place, {**plan, **trigger, "executePrice": low, "clientOid": "p2"})
    track = {**plan, "planType": "track_plan", "clientOid": "p3", "callbackRatio": "1", "triggerPrice": low}
    tracked = ask(place, {**track, "orderType": "market"})["data"]["orderId"]
    asker.refused("", place, {**plan, **trigger, "tradeSide": "open", "clientOid": "p4"})
    named = {"orderId": order_id, "clientOid": "p1"}
    change = {"newSize": "0.011", "newPrice": lower, "newTriggerPrice": lower, "newTriggerType": "fill_price"}
    ask(f"POST {MIX}/order/modify-plan-order", {**ONE, **named, **change})
    ask(f"POST {MIX}/order/modify-plan-order", {**ONE, "orderId": tracked, "newCallbackRatio": "2"})
    ask(f"GET {MIX}/order/orders-plan-pending", **ONE, **named, **times(asker), planType="normal_plan")
    ask(f"GET {MIX}/order/orders-plan-pending", **ONE, clientOid="p1", planType="normal_plan")
    ask(f"POST {MIX}/order/place-order", {**CROSSED, "size": "0.100", "side": "buy", "orderType": "market"})
    held = {**COIN, "holdSide": "long"}
    stop = {"planType": "loss_plan", "triggerPrice": low, "triggerType": "mark_price", "executePrice": low}
    stopped = ask(f"POST {MIX}/order/place-tpsl-order", {**held, **stop, "size": "0.010", "clientOid": "s1"})
    moving = {"planType": "moving_plan", "triggerPrice": high, "rangeRate": "1", "size": "0.010"}
    moved = ask(f"POST {MIX}/order/place-tpsl-order", {**held, **moving})["data"]["orderId"]
    change = {"triggerPrice": lower, "triggerType": "fill_price", "executePrice": lower, "size": "0.011"}
    names = {"orderId": stopped["data"]["orderId"], "clientOid": "s1"}
    ask(f"POST {MIX}/order/modify-tpsl-order", {**COIN, **names, **change})
    ask(f"POST {MIX}/order/modify-tpsl-order", {**COIN, "orderId": moved, "rangeRate": "2"})
    both: dict[str, Any] = {}
    for name, price in (("stopSurplus", high), ("stopLoss", low)):
        both |= {f"{name}TriggerPrice": price, f"{name}TriggerType": "mark_price", f"{name}ExecutePrice": price}
        both[f"{name}ClientOid"] = name
    ask(f"POST {MIX}/order/place-pos-tpsl", {**held, **both})
    ask(f"POST {MIX}/order/cancel-plan-order", {**COIN, "planType": "normal_plan"})
    ask(f"POST {MIX}/order/close-positions", {**ONE, "holdSide": "long"})


def history(asker: Asker) -> None:
    ask, window = asker.ask, times(asker)
    named = {"orderId": "1", "clientOid": "a1"}
    for more in (named, {"clientOid": "a1"}):
        ask(f"GET {MIX}/order/orders-history", **ONE, **more, **window, orderSource="normal")
        ask(
            f"GET {MIX}/order/orders-plan-history",
            **ONE,
            **more,
            **window,
            planType="normal_plan",
            planStatus="cancelled",
        )
    for path in ("fills", "fill-history"):
        ask(f"GET {MIX}/order/{path}", **ONE, **window, orderId="1")
    ask(f"GET {MIX}/account/bill", **ONE, **window, coin="USDT", businessType="open_long")


def unified(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    low, lower = (f"{asker.engine.mark('BTCUSDT').mark_price * share / 100:.1f}" for share in (97, 96))
    order = {**UNIFIED, "qty": "0.010", "price": low, "side": "buy", "orderType": "limit", "timeInForce": "gtc"}
    more = {"clientOid": "u1", "reduceOnly": "no", "marginMode": "crossed", **unified_stops(asker)}
    order_id = ask(f"POST {V3}/trade/place-order", {**order, **more})["data"]["orderId"]
    asker.refused("", f"POST {V3}/trade/place-order", {**order, "posSide": "long"})
    named = {"orderId": order_id, "clientOid": "u1"}
    ask(f"POST {V3}/trade/modify-order", {**named, "qty": "0.011", "price": lower, "autoCancel": "no"})
    ask(f"GET {V3}/trade/order-info", **named)
    window = {"startTime": now - 600_000, "endTime": now, "limit": 5, "cursor": 9_999_999}
    for path in ("unfilled-orders", "history-orders"):
        ask(f"GET {V3}/trade/{path}", **UNIFIED, **window)
    ask(f"POST {V3}/trade/place-batch", [order])
    ask(f"POST {V3}/trade/cancel-order", named)
    ask(f"POST {V3}/trade/cancel-symbol-order", UNIFIED)
    ask(f"POST {V3}/trade/countdown-cancel-all", {"countdown": "30"})
    market_order = NewOrder(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.010"), order_type=OrderType.MARKET)
    asker.engine.place("sim-key", market_order)
    strategies(asker, window)
    asker.engine.place("sim-key", market_order)
    ask(f"GET {V3}/trade/fills", **UNIFIED, **window, orderId=order_id)
    ask(f"GET {V3}/position/current-position", **UNIFIED, posSide="long")
    ask(f"GET {V3}/account/assets", coin="USDT")
    ask(f"GET {V3}/account/financial-records", category="USDT-FUTURES", type="", coin="USDT", **window)
    ask(f"GET {V3}/account/financial-records", category="USDT-FUTURES", type="OPEN_LONG", **window)
    ask(f"POST {V3}/account/set-leverage", {**UNIFIED, "leverage": "9", "marginMode": "crossed"})
    asker.refused("", f"POST {V3}/account/set-hold-mode", {"holdMode": "hedge_mode"})


def unified_stops(asker: Asker) -> dict[str, str]:
    """Both stops of a long position, with limit orders."""
    mark = asker.engine.mark("BTCUSDT").mark_price
    above, below = (f"{mark * share / 100:.1f}" for share in (110, 90))
    profit = {"takeProfit": above, "tpTriggerBy": "market", "tpOrderType": "limit", "tpLimitPrice": above}
    return {**profit, "stopLoss": below, "slTriggerBy": "mark", "slOrderType": "limit", "slLimitPrice": below}


def strategies(asker: Asker, window: dict[str, Any]) -> None:
    """Strategy orders of a long position that is held."""
    ask, stops = asker.ask, unified_stops(asker)
    near = f"{asker.engine.mark('BTCUSDT').mark_price * 95 / 100:.1f}"
    one = {**UNIFIED, "type": "tpsl", "tpslMode": "partial", "qty": "0.010", "side": "sell", **stops}
    placed = ask(f"POST {V3}/trade/place-strategy-order", {**one, "clientOid": "s1"})["data"]["orderId"]
    named = {"orderId": placed, "clientOid": "s1"}
    ask(f"POST {V3}/trade/modify-strategy-order", {**named, "qty": "0.005", **stops})
    trigger = {"triggerBy": "market", "triggerPrice": near, "triggerOrderType": "limit", "triggerOrderPrice": near}
    other = {**UNIFIED, "type": "trigger", "qty": "0.010", "side": "buy", "reduceOnly": "no", **trigger}
    second = ask(f"POST {V3}/trade/place-strategy-order", other)["data"]["orderId"]
    ask(f"POST {V3}/trade/modify-strategy-order", {"orderId": second, **trigger, "qty": "0.020"})
    ask(f"GET {V3}/trade/unfilled-strategy-orders", **UNIFIED, type="tpsl")
    ask(f"POST {V3}/trade/cancel-strategy-order", {"orderId": second})
    ask(f"POST {V3}/trade/cancel-strategy-order", named)
    ask(f"GET {V3}/trade/history-strategy-orders", **UNIFIED, type="tpsl", **window)
    ask(f"POST {V3}/trade/place-strategy-order", {**UNIFIED, **stops, "posSide": "long"})
    ask(f"POST {V3}/trade/close-positions", {**UNIFIED, "posSide": "long"})
