#!/usr/bin/env bash
# What: ccxt.pro 4.5.90, loopback. A client of OKX is closed, and then asked again: by REST, by WebSocket, by REST.
# Guess, written down before the run: close() is final. ccxt 4.5 refuses a late request with ExchangeClosedByUser (its issue 27418: a
#   request that resumes after close() must not make a session that nobody closes), so a late watch is refused as well.
# Seen: REST is refused. The watch is served: it opens a new session and a new socket. From then on REST is served too, though nobody
#   has opened the client, and the session stays open: close() was called before.
# Why the guess is wrong: only fetch() asks whether the client was closed. A watch opens the client as a person would who wants to use
#   it again, and that takes the mark of the close away. A program that ends while one of its loops is about to watch again, after an
#   error or a break of the connection, keeps a connection to the venue that it does not know of.
# Here: src/opensqt/venues/transport/ccxt_client.py keeps a closed client closed, and tests/unit/venues/transport/test_close.py shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ccxt==4.5.90 aiohttp==3.14.5

cat >try.py <<'PYTHON'
import asyncio
import json

import ccxt.pro as ccxt
from aiohttp import WSMsgType, web

connections = 0


async def stream(request):
    global connections
    connections += 1
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data.startswith("{"):
            arg = json.loads(message.data)["args"][0]
            ticker = {"instType": "SWAP", "instId": arg["instId"], "last": "100", "ts": "1700000000000"}
            await socket.send_str(json.dumps({"arg": arg, "data": [ticker]}))
    return socket


async def time(_request):
    return web.json_response({"code": "0", "data": [{"ts": "1700000000000"}], "msg": ""})


async def outcome(call):
    try:
        await call
    except ccxt.BaseError as error:
        return type(error).__name__
    return "served"


async def main():
    app = web.Application()
    app.router.add_get("/ws/v5/public", stream)
    app.router.add_get("/api/v5/public/time", time)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    client = ccxt.okx({"enableRateLimit": False, "timeout": 5000})
    client.urls["api"] = {"rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}/ws/v5"}
    symbol = "BTC/USDT:USDT"
    market = {"id": "BTC-USDT-SWAP", "symbol": symbol, "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap",
              "swap": True, "spot": False, "contract": True, "linear": True, "active": True, "precision": {}, "limits": {}}
    client.set_markets([market])

    before = await outcome(client.fetch_time()), await outcome(client.watch_ticker(symbol))
    await client.close()
    seen = connections
    rest = await outcome(client.fetch_time())
    watch = await outcome(client.watch_ticker(symbol))
    again = await outcome(client.fetch_time())
    opened, session = connections - seen, client.session is not None and not client.session.closed
    print(f"ccxt {ccxt.__version__}")
    print(f"before close(): REST {before[0]}, watch {before[1]}")
    print(f"after close(): REST {rest}, watch {watch} ({opened} new connection), then REST {again}, session open: {session}")
    await client.close()
    await runner.cleanup()
    assert before == ("served", "served"), before
    assert (rest, watch, opened, again, session) == ("ExchangeClosedByUser", "served", 1, "served", True)
    print("as described")


asyncio.run(main())
PYTHON
venv/bin/python try.py
