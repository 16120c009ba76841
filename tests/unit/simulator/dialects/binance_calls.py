"""Calls that send each of Binance's parameters once, as a client would."""

from __future__ import annotations

import orjson

from tests.unit.simulator.dialects.asking import Asker

DAY_MS = 86_400_000


def make(asker: Asker) -> None:
    """Make the calls."""
    market(asker)
    account(asker)
    orders(asker)
    conditional_orders(asker)


def market(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    times = {"startTime": now - DAY_MS // 24, "endTime": now, "limit": 5}
    one = {"symbol": "BTCUSDT"}
    for path in ("depth", "trades"):
        ask(f"GET /fapi/v1/{path}", **one, limit=5)
    ask("GET /fapi/v1/historicalTrades", **one, limit=5, fromId=1)
    ask("GET /fapi/v1/aggTrades", **one, **times, fromId=1)
    for path in ("klines", "markPriceKlines", "premiumIndexKlines"):
        ask(f"GET /fapi/v1/{path}", **one, **times, interval="1m")
    ask("GET /fapi/v1/indexPriceKlines", pair="BTCUSDT", **times, interval="1m")
    ask("GET /fapi/v1/continuousKlines", pair="BTCUSDT", contractType="PERPETUAL", interval="1m", **times)
    ask("GET /fapi/v1/fundingRate", **one, **times)
    for path in (
        "v1/openInterest",
        "v1/premiumIndex",
        "v1/ticker/24hr",
        "v1/ticker/price",
        "v2/ticker/price",
        "v1/ticker/bookTicker",
    ):
        ask(f"GET /fapi/{path}", **one)


def account(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    one = {"symbol": "BTCUSDT"}
    for path in (
        "v1/adlQuantile",
        "v2/positionRisk",
        "v3/positionRisk",
        "v1/symbolConfig",
        "v1/leverageBracket",
        "v1/commissionRate",
    ):
        ask(f"GET /fapi/{path}", **one)
    ask("GET /fapi/v1/apiTradingStatus", **one)
    ask("GET /fapi/v1/income", **one, incomeType="COMMISSION", page=1, startTime=now - DAY_MS, endTime=now, limit=5)
    ask("POST /fapi/v1/leverage", **one, leverage=7)
    ask("POST /fapi/v1/marginType", **one, marginType="ISOLATED")
    ask("POST /fapi/v1/multiAssetsMargin", multiAssetsMargin="false")
    key = ask("POST /fapi/v1/listenKey")["listenKey"]
    ask("PUT /fapi/v1/listenKey", listenKey=key)
    ask("DELETE /fapi/v1/listenKey", listenKey=key)


def orders(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    one = {"symbol": "BTCUSDT"}
    price = f"{asker.engine.mark('BTCUSDT').mark_price * 99 / 100:.1f}"
    limit = {**one, "side": "BUY", "positionSide": "BOTH", "type": "LIMIT", "quantity": "0.010", "price": price}
    for path in ("order", "order/test"):
        late = asker.engine.clock.server_ms() + DAY_MS
        more = {"newClientOrderId": f"a{len(path)}", "newOrderRespType": "RESULT", "timeInForce": "GTD"}
        ask(f"POST /fapi/v1/{path}", **limit, **more, reduceOnly="false", goodTillDate=late, closePosition="false")
        queued = {name: value for name, value in limit.items() if name != "price"}
        ask(f"POST /fapi/v1/{path}", **queued, priceMatch="QUEUE", timeInForce="GTC")
        for name in ("stopPrice", "activationPrice", "callbackRate"):
            asker.refused("-1106", f"POST /fapi/v1/{path}", **queued, priceMatch="QUEUE", **{name: "1"})
    placed = ask("GET /fapi/v1/openOrders", **one)
    named = {**one, "orderId": placed[0]["orderId"], "origClientOrderId": placed[0]["clientOrderId"]}
    ask("GET /fapi/v1/order", **named)
    ask("GET /fapi/v1/openOrder", **named)
    ask("PUT /fapi/v1/order", **named, side="BUY", quantity="0.011", price=price)
    amended = {"side": "BUY", "quantity": "0.012", "priceMatch": "QUEUE"}
    ask("PUT /fapi/v1/order", **named, **amended)
    ask("DELETE /fapi/v1/order", **named)
    for name in ("orderIdList", "orderidlist"):
        ask("DELETE /fapi/v1/batchOrders", **one, **{name: "[1]"})
    for name in ("origClientOrderIdList", "origclientorderidlist"):
        ask("DELETE /fapi/v1/batchOrders", **one, **{name: '["x"]'})
    ask("POST /fapi/v1/batchOrders", batchOrders=orjson.dumps([limit | {"timeInForce": "GTC"}]).decode())
    asker.refused("-1102", "PUT /fapi/v1/batchOrders", batchOrders="[]")
    ask("DELETE /fapi/v1/allOpenOrders", **one)
    ask("POST /fapi/v1/countdownCancelAll", **one, countdownTime=1000)
    times = {"startTime": now - DAY_MS, "endTime": now, "limit": 5}
    ask("GET /fapi/v1/allOrders", **one, **times)
    ask("GET /fapi/v1/allOrders", **one, orderId=1)
    ask("GET /fapi/v1/userTrades", **one, **times, orderId=1)
    ask("GET /fapi/v1/userTrades", **one, fromId=1)
    ask("GET /fapi/v1/forceOrders", **one, **times, autoCloseType="LIQUIDATION")
    ask("POST /fapi/v1/positionSide/dual", dualSidePosition="true")


def conditional_orders(asker: Asker) -> None:
    ask, now = asker.ask, asker.engine.now_ms()
    mark = asker.engine.mark("BTCUSDT").mark_price
    stop = f"{mark * 97 / 100:.1f}"
    one = {"symbol": "BTCUSDT"}
    order = {"algoType": "CONDITIONAL", **one, "side": "SELL", "positionSide": "LONG", "workingType": "MARK_PRICE"}
    late = asker.engine.clock.server_ms() + DAY_MS
    dated = {"timeInForce": "GTD", "goodTillDate": late, "clientAlgoId": "b1", "priceMatch": "NONE"}
    limit = {"type": "STOP", "quantity": "0.010", "price": stop, "triggerPrice": stop}
    placed = ask("POST /fapi/v1/algoOrder", **order, **limit, **dated, closePosition="false")
    trail = {"type": "TRAILING_STOP_MARKET", "quantity": "0.010", "callbackRate": "1"}
    ask("POST /fapi/v1/algoOrder", **order, **trail, activatePrice=f"{mark * 102 / 100:.1f}")
    asker.refused("-1106", "POST /fapi/v1/algoOrder", **order, **trail, reduceOnly="true")
    algo_id = placed["algoId"]
    ask("GET /fapi/v1/openAlgoOrders", algoType="CONDITIONAL", **one, algoId=algo_id)
    times = {"startTime": now - DAY_MS, "endTime": now, "limit": 5, "page": 1}
    ask("GET /fapi/v1/allAlgoOrders", **one, **times)
    ask("GET /fapi/v1/allAlgoOrders", **one, algoId=algo_id)
    ask("GET /fapi/v1/algoOrder", algoId=algo_id, clientAlgoId="b1")
    ask("DELETE /fapi/v1/algoOrder", algoId=algo_id, clientAlgoId="b1")
    ask("DELETE /fapi/v1/algoOpenOrders", **one)
