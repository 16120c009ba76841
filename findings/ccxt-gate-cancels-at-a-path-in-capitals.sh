#!/usr/bin/env bash
# What: ccxt 4.5.84, in JavaScript and in Python, loopback. Gate, a USDT perpetual: `createOrders`, `fetchOpenOrders`, `cancelOrder`,
#   `cancelAllOrders` and `cancelOrders`, each with its symbol and no other parameter. A server keeps the paths, and answers 404 to a path
#   that Gate's documents do not have: their settlement coins are `usdt` and `btc`.
# Guess, written down before the run: every path begins with /futures/usdt, in both languages: one market, one settlement coin.
# Seen: `cancelOrders` alone goes to /futures/USDT/batch_cancel_orders, in both languages, and raises ExchangeError: both orders stay open.
#   With `{"settle": "usdt"}` as its parameters it goes to /futures/usdt and returns.
# Why the guess is wrong: the other calls take the coin's id at the venue (`settleId`), this one its unified code (`settle`), and the
#   small letters of `safeStringLower` are for a value that the caller gave, not for the default. `createOrders` is its other half and
#   is right, so a program that places in batches meets it when it wants its orders gone. (The venue itself was not asked whether it
#   takes capitals; its documents list `usdt` and `btc`.)
# Here: our simulator does not serve capitals either; docs/simulator-clients.md says it. Our adapter takes no unified call of ccxt.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ccxt==4.5.84 aiohttp==3.14.5
echo '{}' >package.json
npm install --ignore-scripts --no-audit --no-fund --silent ccxt@4.5.84

cat >market.json <<'JSON'
{"id": "BTC_USDT", "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "baseId": "BTC", "quoteId": "USDT",
 "settleId": "usdt", "type": "swap", "swap": true, "spot": false, "future": false, "option": false, "contract": true, "linear": true,
 "inverse": false, "active": true, "contractSize": 0.0001, "precision": {"amount": 1, "price": 0.1}, "limits": {}}
JSON

cat >try.mjs <<'JAVASCRIPT'
import { readFileSync } from 'node:fs';
import ccxt from 'ccxt';

const market = JSON.parse(readFileSync('market.json'));
const exchange = new ccxt.gate({ apiKey: 'key', secret: 'secret', enableRateLimit: false, options: { defaultType: 'swap', unifiedAccount: false } });
for (const access of ['public', 'private']) {
    for (const name of Object.keys(exchange.urls.api[access])) exchange.urls.api[access][name] = process.argv[2];
}
exchange.setMarkets([market]);
const symbol = market.symbol;
const order = { symbol, type: 'limit', side: 'buy', amount: 1, price: 90000 };
const calls = {
    createOrders: [[order, order]],
    fetchOpenOrders: [symbol],
    cancelOrder: ['1', symbol],
    cancelAllOrders: [symbol],
    cancelOrders: [['1', '2'], symbol],
    'cancelOrders with settle': [['1', '2'], symbol, { settle: 'usdt' }],
};
const outcomes = {};
for (const [name, args] of Object.entries(calls)) {
    outcomes[name] = await exchange[name.split(' ')[0]](...args).then(() => 'returned', (error) => error.constructor.name);
}
console.log(JSON.stringify(outcomes));
JAVASCRIPT

cat >try.py <<'PYTHON'
import asyncio
import json

import ccxt.async_support as ccxt
from aiohttp import web

seen = []
ORDER = {"id": 1, "contract": "BTC_USDT", "size": 1, "left": 1, "price": "90000", "status": "open", "succeeded": True}


async def answer(request):
    seen.append(f"{request.method} {request.path}")
    if not request.path.startswith("/futures/usdt/"):
        return web.json_response({"label": "NOT_FOUND", "message": "no such path"}, status=404)
    one = request.method == "DELETE" and request.path != "/futures/usdt/orders"
    return web.json_response(ORDER if one else [ORDER])


async def in_javascript(url):
    process = await asyncio.create_subprocess_exec("node", "try.mjs", url, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return json.loads(out)


async def in_python(url):
    with open("market.json") as file:
        market = json.load(file)
    options = {"defaultType": "swap", "unifiedAccount": False}
    exchange = ccxt.gate({"apiKey": "key", "secret": "secret", "enableRateLimit": False, "options": options})
    for access in ("public", "private"):
        for name in exchange.urls["api"][access]:
            exchange.urls["api"][access][name] = url
    exchange.set_markets([market])
    symbol = market["symbol"]
    order = {"symbol": symbol, "type": "limit", "side": "buy", "amount": 1, "price": 90000}
    calls = {
        "createOrders": exchange.create_orders([order, order]),
        "fetchOpenOrders": exchange.fetch_open_orders(symbol),
        "cancelOrder": exchange.cancel_order("1", symbol),
        "cancelAllOrders": exchange.cancel_all_orders(symbol),
        "cancelOrders": exchange.cancel_orders(["1", "2"], symbol),
        "cancelOrders with settle": exchange.cancel_orders(["1", "2"], symbol, {"settle": "usdt"}),
    }
    outcomes = {}
    for name, call in calls.items():
        try:
            await call
            outcomes[name] = "returned"
        except ccxt.BaseError as error:
            outcomes[name] = type(error).__name__
    await exchange.close()
    return outcomes


async def main():
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    print(f"ccxt {ccxt.__version__}")
    for name, run in (("JavaScript", in_javascript), ("Python", in_python)):
        seen.clear()
        outcomes = await run(url)
        for call, path in zip(outcomes, seen, strict=True):
            print(f"{name}, {call}: {path}: {outcomes[call]}")
            right = call != "cancelOrders"
            assert path.split()[1].startswith("/futures/usdt/" if right else "/futures/USDT/batch_cancel_orders"), path
            assert outcomes[call] == ("returned" if right else "ExchangeError"), outcomes
    await runner.cleanup()
    print("as described")


asyncio.run(main())
PYTHON
venv/bin/python try.py
