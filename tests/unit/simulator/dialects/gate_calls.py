"""Calls that send each of Gate's parameters once, as a client would."""

from __future__ import annotations

from typing import Any

from opensqt.model.account import PositionMode
from tests.unit.simulator.dialects.asking import Asker

ROOT = "/api/v4/futures/usdt"
ONE = {"contract": "BTC_USDT"}
PAGE = {"limit": 5, "offset": 0}
CLOSING = {"size": 0, "auto_size": "close_long", "reduce_only": True}
HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY


def make(asker: Asker) -> None:
    """Make the calls."""
    market(asker)
    account(asker)
    orders(asker)
    price_orders(asker)
    asker.ask(f"POST {ROOT}/set_position_mode", position_mode="dual")
    asker.ask(f"POST {ROOT}/dual_comp/positions/{{contract}}/leverage", **ONE, leverage=0, cross_leverage_limit=9)
    asker.ask(f"POST {ROOT}/dual_comp/positions/cross_mode", {**ONE, "mode": "CROSS"})


def times(asker: Asker) -> dict[str, int]:
    now = asker.engine.now_ms() // 1000
    return {"from": now - 600, "to": now}


def market(asker: Asker) -> None:
    ask = asker.ask
    ask(f"GET {ROOT}/contracts", **PAGE)
    ask(f"GET {ROOT}/order_book", **ONE, limit=5, with_id="true")
    ask(f"GET {ROOT}/trades", **ONE, **PAGE, **times(asker), last_id=100)
    ask(f"GET {ROOT}/candlesticks", **ONE, **times(asker), interval="1m")
    ask(f"GET {ROOT}/candlesticks", **ONE, limit=5)
    ask(f"GET {ROOT}/funding_rate", **ONE, **times(asker), limit=5)
    ask(f"GET {ROOT}/risk_limit_tiers", **ONE, **PAGE)
    for path in ("tickers", "fee"):
        ask(f"GET {ROOT}/{path}", **ONE)


def account(asker: Asker) -> None:
    ask = asker.ask
    ask(f"GET {ROOT}/account_book", **ONE, **PAGE, **times(asker), type="fee")
    ask(f"GET {ROOT}/positions", **PAGE, holding="true")
    ask(f"GET {ROOT}/position_close", **ONE, **PAGE, **times(asker), side="long", pnl="loss")
    asker.refused("USER_NOT_UNIFIED", "GET /api/v4/unified/accounts", currency="USDT")
    ask(f"POST {ROOT}/positions/{{contract}}/leverage", **ONE, leverage=0, cross_leverage_limit=7)
    ask(f"POST {ROOT}/positions/cross_mode", {**ONE, "mode": "CROSS"})
    asker.refused("", f"POST {ROOT}/dual_mode", dual_mode="false")


def orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    order: dict[str, Any] = {**ONE, "size": 5, "price": f"{mark * 98 / 100:.1f}", "tif": "gtc", "text": "t-a1"}
    order_id = ask(f"POST {ROOT}/orders", {**order, "reduce_only": False, "close": False})["id"]
    ask(
        f"PUT {ROOT}/orders/{{order_id}}",
        {"size": 6, "price": f"{mark * 97 / 100:.1f}", "amend_text": "x"},
        order_id=order_id,
    )
    ask(f"POST {ROOT}/batch_orders", [order | {"text": "t-a2"}])
    ask(f"GET {ROOT}/orders", **ONE, **PAGE, status="open", last_id=999)
    ask(f"GET {ROOT}/orders_timerange", **ONE, **PAGE, **times(asker))
    ask(f"DELETE {ROOT}/orders", **ONE, side="bid", exclude_reduce_only="true")
    ask(f"POST {ROOT}/countdown_cancel_all", {**ONE, "timeout": 30})
    ask(f"POST {ROOT}/orders", {**ONE, "size": 5, "price": "0", "tif": "ioc"})
    ask(f"GET {ROOT}/my_trades", **ONE, **PAGE, order=1, last_id=999)
    ask(f"GET {ROOT}/my_trades_timerange", **ONE, **PAGE, **times(asker), role="taker")
    ask(f"POST {ROOT}/orders", {**ONE, "size": 0, "price": "0", "tif": "ioc", "close": True})
    asker.engine.set_position_mode("sim-key", HEDGE)
    asker.refused("POSITION_EMPTY", f"POST {ROOT}/orders", {**ONE, **CLOSING, "price": "0", "tif": "ioc"})
    asker.engine.set_position_mode("sim-key", ONE_WAY)


def price_orders(asker: Asker) -> None:
    ask, mark = asker.ask, asker.engine.mark("BTCUSDT").mark_price
    low, lower = f"{mark * 97 / 100:.1f}", f"{mark * 96 / 100:.1f}"
    trigger = {"strategy_type": 0, "price_type": 1, "price": low, "rule": 2, "expiration": 3600}
    initial = {**ONE, "size": -5, "price": low, "tif": "gtc", "text": "t-b1", "reduce_only": True, "close": False}
    path = f"{ROOT}/price_orders"
    placed = ask(f"POST {path}", {"initial": initial, "trigger": trigger})["id"]
    ask(f"POST {path}", {"initial": {**ONE, "amount": "-5", "price": "0", "is_reduce_only": True}, "trigger": trigger})
    closing = {"initial": {**ONE, "size": 0, "price": "0", "close": True}, "trigger": trigger}
    ask(f"POST {path}", closing | {"order_type": "close-long-position"})
    ask(f"GET {path}", **ONE, **PAGE, status="open")
    change = {**ONE, "size": -6, "price": lower, "trigger_price": lower, "price_type": 0, "close": False}
    ask(f"PUT {path}/amend/{{order_id}}", change, order_id=placed)
    ask(f"PUT {path}/amend/{{order_id}}", {"amount": "-7"}, order_id=placed)
    asker.refused("INVALID", f"PUT {path}/amend/{{order_id}}", {"auto_size": "close_long"}, order_id=placed)
    ask(f"DELETE {path}", **ONE)
    asker.engine.set_position_mode("sim-key", HEDGE)
    ask(f"POST {path}", {"initial": {**ONE, **CLOSING, "price": "0"}, "trigger": trigger})
    ask(f"DELETE {path}", **ONE)
    asker.engine.set_position_mode("sim-key", ONE_WAY)
