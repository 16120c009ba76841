#!/usr/bin/env bash
# What: nautilus_trader 1.221.0, the WebSocket client of OKX on which its execution client stands, loopback. It places a limit order at
#   90,000, amends it to 90,100, amends it to a price that is refused, and cancels it. A server acknowledges what it takes and sends the
#   order on the channel `orders` after it, as OKX documents it: live; live with the new price and amendResult 0; canceled.
# Guess (put into words after a first try of it): four reports reach the callback, one for each request. The second has the price 90,100, and the
#   execution client makes the strategy's OrderUpdated of it.
# Seen: three: ACCEPTED at 90,000, the refusal, CANCELED at 90,100. Nothing comes of the amendment that was taken, neither of its
#   acknowledgement nor of its frame, and no error either.
# Why the guess is wrong: OKX has no state for an amended order: it is live again. The client takes a second `live` of an order for its
#   acceptance repeated and drops it, whatever else is in it (it says so at debug level). As a refusal does arrive, silence looks like a
#   slow venue. The strategy goes on with the old price and an order that waits for its update, while the new price is in the book.
# Here: with our simulator 1.221 meets just that (docs/simulator-clients.md); 1.231 reports the amendment there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nautilus_trader==1.221.0 aiohttp==3.14.5

cat >try.py <<'PYTHON'
import asyncio
import json
from importlib.metadata import version

from aiohttp import WSMsgType, web
from nautilus_trader.core import nautilus_pyo3 as core

EMPTY = (
    "ccy tag tgtCcy fillPx tradeId fillNotionalUsd fillTime fillFeeCcy execType tpTriggerPx tpTriggerPxType tpOrdPx slTriggerPx "
    "slTriggerPxType slOrdPx source cancelSource reqId quickMgnType stpId attachAlgoClOrdId algoId algoClOrdId msg amendSource pxType "
    "pxUsd pxVol amendResult"
).split()
ORDER = dict.fromkeys(EMPTY, "") | {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "ordId": "7001", "clOrdId": "O1", "px": "90000", "sz": "1", "notionalUsd": "900",
    "ordType": "limit", "side": "buy", "posSide": "net", "tdMode": "cross", "fillSz": "0", "accFillSz": "0", "fillFee": "0",
    "state": "live", "avgPx": "0", "lever": "3", "feeCcy": "USDT", "fee": "0", "rebateCcy": "USDT", "rebate": "0", "pnl": "0",
    "category": "normal", "uTime": "1700000000000", "cTime": "1700000000000", "reduceOnly": "false", "stpMode": "cancel_maker",
    "lastPx": "100000", "code": "0", "isTpLimit": "false", "linkedAlgoOrd": {"algoId": ""}, "attachAlgoOrds": [],
}
CHANGES = {
    "order": {},
    "amend-order": {"px": "90100", "amendResult": "0", "uTime": "1700000001000"},
    "cancel-order": {"px": "90100", "state": "canceled", "cancelSource": "1", "uTime": "1700000002000"},
}
REFUSED = "900000"
subscribed, sent = asyncio.Event(), []


async def venue(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is not WSMsgType.TEXT or message.data == "ping":
            continue
        asked = json.loads(message.data)
        op = asked["op"]
        if op == "login":
            await socket.send_json({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"})
        elif op == "subscribe":
            assert asked["args"][0]["channel"] == "orders", asked
            arg = {"channel": "orders", "instType": "SWAP"}
            await socket.send_json({"event": "subscribe", "arg": arg, "connId": "a4d3ae55"})
            subscribed.set()
        else:
            refused = asked["args"][0].get("newPx") == REFUSED
            outcome = {"sCode": "51006", "sMsg": "price out of range"} if refused else {"sCode": "0", "sMsg": ""}
            row = {"ordId": "7001", "clOrdId": "O1", "ts": "1700000000000"} | outcome
            row |= {"reqId": ""} if op == "amend-order" else {}
            answer = {"id": asked["id"], "op": op, "data": [row], "code": "1" if refused else "0", "msg": ""}
            await socket.send_json(answer | {"inTime": "1700000000000000", "outTime": "1700000000001000"})
            if refused:
                continue
            order = ORDER | CHANGES[op]
            await socket.send_json({"arg": {"channel": "orders", "instType": "SWAP", "uid": "1"}, "data": [order]})
            sent.append((op, asked["args"][0].get("newPx"), order["state"], order["px"]))
    return socket


def described(report):
    if isinstance(report, core.OrderModifyRejected):
        return "OrderModifyRejected", report.reason
    return type(report).__name__, str(report.order_status), str(report.price)


async def main():
    app = web.Application()
    app.router.add_get("/ws/v5/private", venue)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reports = []

    async def until(there):
        while not there():
            await asyncio.sleep(0.01)

    usdt, name = core.Currency.from_str("USDT"), core.InstrumentId.from_str("BTC-USDT-SWAP.OKX")
    hundredth = core.Quantity.from_str("0.01")
    instrument = core.CryptoPerpetual(
        instrument_id=name, raw_symbol=core.Symbol("BTC-USDT-SWAP"), base_currency=core.Currency.from_str("BTC"), quote_currency=usdt,
        settlement_currency=usdt, is_inverse=False, price_precision=1, size_precision=2, price_increment=core.Price.from_str("0.1"),
        size_increment=hundredth, lot_size=hundredth, multiplier=hundredth, ts_event=0, ts_init=0,
    )
    client = core.OKXWebSocketClient.with_credentials(
        url=f"ws://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/ws/v5/private",
        api_key="key", api_secret="secret", api_passphrase="pass", account_id=core.AccountId("OKX-master"),
    )
    await client.connect(instruments=[instrument], callback=reports.append)
    await client.wait_until_active(30)
    await client.subscribe_orders(core.OKXInstrumentType.SWAP)
    await subscribed.wait()

    trader, strategy, one = core.TraderId("TRADER-001"), core.StrategyId("S-001"), core.Quantity.from_str("1")
    mine, theirs = core.ClientOrderId("O1"), core.VenueOrderId("7001")
    await client.submit_order(
        trader, strategy, name, core.OKXTradeMode.CROSS, mine, core.OrderSide.BUY, core.OrderType.LIMIT, one,
        core.TimeInForce.GTC, core.Price.from_str("90000"),
    )
    await until(lambda: len(sent) == 1 and reports)
    await client.modify_order(trader, strategy, name, mine, theirs, core.Price.from_str("90100"), one)
    await until(lambda: len(sent) == 2)
    await client.modify_order(trader, strategy, name, mine, theirs, core.Price.from_str(REFUSED), one)
    await until(lambda: any(isinstance(one, core.OrderModifyRejected) for one in reports))
    # The frames of a connection are read in order: once the cancel is reported, the amendment has been read.
    await client.cancel_order(trader, strategy, name, mine, theirs)
    await until(lambda: len(sent) == 3 and any(described(one)[1] == "CANCELED" for one in reports))
    await client.close()
    await runner.cleanup()

    print(f"nautilus_trader {version('nautilus_trader')}")
    for op, asked, state, price in sent:
        print(f"the venue got {op}{f' with newPx {asked}' if asked else ''}, acknowledged it and sent: {state}, px {price}")
    print(f"the venue got amend-order with newPx {REFUSED}, and refused it")
    seen = [described(one) for one in reports]
    for one in seen:
        print(f"the callback got {one}")
    assert [row[:2] for row in sent] == [("order", None), ("amend-order", "90100"), ("cancel-order", None)], sent
    assert seen == [
        ("OrderStatusReport", "ACCEPTED", "90000.0"),
        ("OrderModifyRejected", "price out of range"),
        ("OrderStatusReport", "CANCELED", "90100.0"),
    ], seen
    print("as described")


asyncio.run(asyncio.wait_for(main(), 60))
PYTHON
venv/bin/python try.py
