"""Calls that send each of OKX's parameters once, as a client would."""

from __future__ import annotations

from typing import Any

from tests.unit.simulator.dialects.asking import Asker

ONE = {"instId": "BTC-USDT-SWAP"}
TYPE = {"instType": "SWAP"}
PAGE = {"after": "9999999999999", "before": "0", "limit": "5"}


def make(asker: Asker) -> None:
    """Make the calls."""
    market(asker)
    account(asker)
    orders(asker)
    algo_orders(asker)


def market(asker: Asker) -> None:
    ask = asker.ask
    for named in (ONE, {"uly": "BTC-USDT"}, {"instFamily": "BTC-USDT"}):
        for path in ("public/instruments", "public/mark-price", "public/open-interest", "account/instruments"):
            ask(f"GET /api/v5/{path}", **TYPE, **named)
        if named is not ONE:
            ask("GET /api/v5/public/position-tiers", **TYPE, tdMode="cross", tier="1", **ONE, **named)
            ask("GET /api/v5/market/tickers", **TYPE, **named)
            ask("GET /api/v5/account/trade-fee", **TYPE, **named)
    for path in ("public/funding-rate", "public/price-limit", "market/ticker"):
        ask(f"GET /api/v5/{path}", **ONE)
    ask("GET /api/v5/public/underlying", **TYPE)
    ask("GET /api/v5/market/index-tickers", quoteCcy="USDT", instId="BTC-USDT")
    ask("GET /api/v5/public/funding-rate-history", **ONE, **PAGE)
    ask("GET /api/v5/market/books", **ONE, sz=5)
    for path in ("candles", "history-candles", "mark-price-candles", "history-mark-price-candles"):
        ask(f"GET /api/v5/market/{path}", **ONE, **PAGE, bar="5m")
    for path in ("index-candles", "history-index-candles"):
        ask(f"GET /api/v5/market/{path}", **PAGE, instId="BTC-USDT", bar="5m")
    ask("GET /api/v5/market/trades", **ONE, limit=5)
    ask("GET /api/v5/market/history-trades", **ONE, **PAGE, type=2)


def account(asker: Asker) -> None:
    ask = asker.ask
    for path in ("balance", "max-withdrawal"):
        ask(f"GET /api/v5/account/{path}", ccy="USDT")
    ask("GET /api/v5/account/max-size", **ONE, tdMode="cross", px="40000", leverage=3)
    ask("GET /api/v5/account/max-avail-size", **ONE, tdMode="cross", reduceOnly="true")
    closed = {"mgnMode": "cross", "type": "2", "posId": "BTCUSDTnet"}
    ask("GET /api/v5/account/positions-history", **TYPE, **ONE, **PAGE, **closed)
    ask("GET /api/v5/account/positions", **TYPE, **ONE, posId="x")
    ask("GET /api/v5/account/leverage-info", **ONE, mgnMode="cross")
    ask("GET /api/v5/asset/currencies", ccy="USDT")
    for path in ("bills", "bills-archive"):
        window = {**PAGE, "begin": 1, "end": 9_999_999_999_999}
        more = {"ccy": "USDT", "mgnMode": "cross", "ctType": "linear", "type": "2", "subType": "1"}
        ask(f"GET /api/v5/account/{path}", **TYPE, **ONE, **more, **window)
    ask("POST /api/v5/account/set-leverage", {**ONE, "lever": "7", "mgnMode": "cross", "posSide": "net"})
    ask("POST /api/v5/account/set-position-mode", {"posMode": "net_mode"})


def orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, high = f"{mark * 97 / 100:.1f}", f"{mark * 105 / 100:.1f}"
    price = f"{mark * 98 / 100:.1f}"
    limit = {**ONE, "tdMode": "cross", "side": "buy", "posSide": "net", "ordType": "limit", "sz": "1", "px": price}
    stops = {"tpTriggerPx": high, "tpOrdPx": "-1", "tpTriggerPxType": "mark"}
    stops |= {"slTriggerPx": low, "slOrdPx": "-1", "slTriggerPxType": "mark"}
    place = "POST /api/v5/trade/order"
    attached = [stops | {"sz": "1", "attachAlgoClOrdId": "s1"}]
    answer = ask(place, {**limit, "clOrdId": "a1", "tag": "t", "reduceOnly": False, "attachAlgoOrds": attached})
    ask(place, {**limit, **stops, "clOrdId": "a2", "algoClOrdId": "s2"})
    named = {**ONE, "ordId": answer["data"][0]["ordId"], "clOrdId": "a1"}
    ask("GET /api/v5/trade/order", **named)
    for scope in (ONE, {"uly": "BTC-USDT"}, {"instFamily": "BTC-USDT"}):
        page: dict[str, Any] = {**TYPE, **scope, **PAGE}
        window = {**page, "begin": 1, "end": 9_999_999_999_999}
        ask("GET /api/v5/trade/orders-pending", **page, ordType="limit", state="live")
        for path in ("orders-history", "orders-history-archive"):
            ask(f"GET /api/v5/trade/{path}", **window, ordType="limit", state="canceled", category="normal")
        for path in ("fills", "fills-history"):
            ask(f"GET /api/v5/trade/{path}", **window, ordId="1", subType="1")
    ask("POST /api/v5/trade/amend-order", {**named, "reqId": "r1", "newSz": "2", "newPx": low})
    ask("POST /api/v5/trade/cancel-order", named)
    ask("POST /api/v5/trade/cancel-all-after", {"timeOut": "10", "tag": "t"})
    ask(place, {**limit, "ordType": "market"})
    close = {"posSide": "net", "mgnMode": "cross", "autoCxl": True, "clOrdId": "c1", "tag": "t"}
    ask("POST /api/v5/trade/close-position", {**ONE, **close})


def algo_orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, high, higher = (f"{mark * share / 100:.1f}" for share in (97, 105, 106))
    order = {**ONE, "tdMode": "cross", "side": "sell", "posSide": "net", "tag": "t"}
    stops = {"tpTriggerPx": high, "tpOrdPx": "-1", "tpTriggerPxType": "mark"}
    stops |= {"slTriggerPx": low, "slOrdPx": "-1", "slTriggerPxType": "mark"}
    ask("POST /api/v5/trade/order", {**order, "side": "buy", "ordType": "market", "sz": "5"})
    place = "POST /api/v5/trade/order-algo"
    oco = {**order, **stops, "ordType": "oco", "reduceOnly": True, "algoClOrdId": "o1", "cxlOnClosePos": True}
    algo_id = ask(place, {**oco, "sz": "1"})["data"][0]["algoId"]
    ask(place, {**order, **stops, "ordType": "oco", "reduceOnly": True, "closeFraction": "1"})
    trigger = {"triggerPx": low, "triggerPxType": "mark", "orderPx": low, "advanceOrdType": "ioc"}
    triggered = ask(place, {**order, **trigger, "ordType": "trigger", "sz": "1"})["data"][0]["algoId"]
    ask(place, {**order, "ordType": "move_order_stop", "sz": "1", "callbackRatio": "0.01", "activePx": high})
    ask(place, {**order, "ordType": "move_order_stop", "sz": "1", "callbackSpread": "10"})
    named = {"algoId": algo_id, "algoClOrdId": "o1"}
    ask("GET /api/v5/trade/order-algo", **named)
    ask("GET /api/v5/trade/orders-algo-pending", ordType="oco", algoId=algo_id, **TYPE, **ONE, **PAGE)
    more = {"ordType": "oco", "state": "canceled", "algoId": algo_id}
    ask("GET /api/v5/trade/orders-algo-history", **more, **TYPE, **ONE, **PAGE)
    amend = {"newTpTriggerPx": higher, "newTpOrdPx": "-1", "newTpTriggerPxType": "last"}
    amend |= {"newSlTriggerPx": low, "newSlOrdPx": "-1", "newSlTriggerPxType": "last"}
    ask("POST /api/v5/trade/amend-algos", {**ONE, **named, **amend, "reqId": "r1", "newSz": "2"})
    plain = {"newTriggerPx": low, "newOrdPx": "-1", "newTriggerPxType": "last"}
    ask("POST /api/v5/trade/amend-algos", {**ONE, "algoId": triggered, **plain})
    ask("POST /api/v5/trade/cancel-algos", [{**ONE, **named}])
