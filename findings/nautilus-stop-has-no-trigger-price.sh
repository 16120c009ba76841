#!/usr/bin/env bash
# What: nautilus_trader 1.221.0, its execution client of Bybit with its defaults, loopback. A strategy is long a linear perpetual at
#   100,000 and protects it: a `StopMarketOrder` to sell at 90,000, reduce only. Then the three other kinds of conditional order. A server
#   takes what is sent to /v5/order/create.
# Guess, written down before the run: the body names 90,000 as `triggerPrice`, with triggerDirection 2 (falls to). By Bybit's documents
#   `triggerPrice` is what makes an order a conditional one: with it the order waits, without it the order is an ordinary one.
# Seen: no field of the body has the 90,000. It is orderType Market with triggerDirection, triggerBy, slTriggerBy, slOrderType and tpslMode,
#   which describe nothing without a trigger price. `StopLimitOrder` goes out as Limit without trigger price and without price,
#   `LimitIfTouchedOrder` as Market without trigger price. Only `MarketIfTouchedOrder` keeps its trigger price; to sell above the
#   market, it says direction 2 (falls to).
# Why the guess is wrong: the client passes the trigger price on as the price of an attached stop loss or take profit, and that is
#   written to the body for spot only. The order in the program has its trigger price all the time. A venue that reads the body as
#   documented sells at the market at once: the stop closes the position that it is to protect, and is reported as filled. (The
#   venue itself was not asked.)
# Here: with our simulator 1.221 meets just that (docs/simulator-clients.md); the stops of 1.231 wait there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nautilus_trader==1.221.0

cat >try.py <<'PYTHON'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from nautilus_trader.adapters.bybit.common.enums import BybitProductType
from nautilus_trader.adapters.bybit.config import BybitExecClientConfig
from nautilus_trader.adapters.bybit.factories import BybitLiveExecClientFactory
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.common.factories import OrderFactory
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import SubmitOrder
from nautilus_trader.model.enums import OrderSide, TriggerType
from nautilus_trader.model.identifiers import InstrumentId, StrategyId, TraderId
from nautilus_trader.model.objects import Price, Quantity

bodies = []


class Venue(BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.path == "/v5/order/create", self.path
        bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        result = {"orderId": str(len(bodies)), "orderLinkId": bodies[-1]["orderLinkId"]}
        answer = json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1700000000000}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


async def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Venue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    clock, trader, strategy = LiveClock(), TraderId("TRADER-001"), StrategyId("S-001")
    bus = MessageBus(trader, clock)
    events = []
    bus.register("ExecEngine.process", events.append)
    config = BybitExecClientConfig(
        api_key="key", api_secret="secret", product_types=(BybitProductType.LINEAR,),
        base_url_http=f"http://127.0.0.1:{server.server_address[1]}",
    )
    client = BybitLiveExecClientFactory.create(asyncio.get_running_loop(), "BYBIT", config, bus, Cache(), clock)
    factory = OrderFactory(trader, strategy, clock)
    shared = {
        "instrument_id": InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT"), "order_side": OrderSide.SELL,
        "quantity": Quantity.from_str("0.010"), "trigger_type": TriggerType.LAST_PRICE, "reduce_only": True,
    }
    below, above = {"trigger_price": Price.from_str("90000.0")}, {"trigger_price": Price.from_str("110000.0")}
    orders = [
        factory.stop_market(**shared, **below),
        factory.stop_limit(**shared, **below, price=Price.from_str("89900.0")),
        factory.market_if_touched(**shared, **above),
        factory.limit_if_touched(**shared, **above, price=Price.from_str("109900.0")),
    ]
    for number, order in enumerate(orders, 1):
        client.submit_order(SubmitOrder(trader, strategy, order, UUID4(), clock.timestamp_ns()))
        while len(bodies) < number:
            await asyncio.sleep(0.01)
    server.shutdown()

    print(f"nautilus_trader {version('nautilus_trader')}")
    seen = {}
    for order, body in zip(orders, bodies, strict=True):
        assert (body["orderLinkId"], body["side"], body["reduceOnly"]) == (order.client_order_id.value, "Sell", True), body
        seen[type(order).__name__] = body["orderType"], body.get("price"), body.get("triggerPrice"), body["triggerDirection"]
        named = [name for name, value in body.items() if value == str(order.trigger_price)]
        print(f"{type(order).__name__} at {order.trigger_price}: fields with that price: {named}")
        print("  " + ", ".join(f"{name} {value}" for name, value in body.items() if name != "orderLinkId"))
        if type(order).__name__ != "MarketIfTouchedOrder":
            assert not named, body
    assert seen == {
        "StopMarketOrder": ("Market", None, None, 2),
        "StopLimitOrder": ("Limit", None, None, 2),
        "MarketIfTouchedOrder": ("Market", None, "110000.0", 2),
        "LimitIfTouchedOrder": ("Market", None, None, 1),
    }, seen
    assert {type(event).__name__ for event in events} == {"OrderSubmitted"}, events
    print("as described")


asyncio.run(asyncio.wait_for(main(), 60))
PYTHON
venv/bin/python try.py
