#!/usr/bin/env bash
# What: pybit 5.17.0 (Bybit's own SDK for Python), `WebSocket.orderbook_stream`, loopback. A server sends a snapshot of five
#   levels a side, best first as Bybit documents it, then deltas as Bybit sends them: a new best bid and a new best ask, and a
#   change of a quantity that was there.
# Guess, written down before the run: the SDK keeps the book and hands each callback the whole of it, with `type` "snapshot". So
#   `data["b"][0]` is the best bid and `data["a"][0]` the best ask, in every callback.
# Seen: after a delta with a new price the first row is the best of the snapshot, not the best of the book. A new price is
#   appended to the end of its side and nothing is sorted: the bids read 99.9, 99.8, 99.7, 99.6, 99.5, 100.1 when 100.1 is bid.
# Why the guess is wrong: the rows come sorted in Bybit's snapshots, and most first rows in a quiet minute are right, so a program
#   that takes the first row looks right when it is tried. In a moving market it quotes from an old price until that price is
#   deleted from the book. Take max() of the bids and min() of the asks.
# Here: our adapter reads Bybit's frames itself; docs/venues/bybit.md says it for those who use the SDK beside it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pybit==5.17.0 websockets==17.4

cat >try.py <<'PYTHON'
import asyncio
import json
import queue
import threading

import websockets
from pybit import unified_trading

TOPIC = "orderbook.50.BTCUSDT"


def frame(kind, update, bids, asks):
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 1000 + update}
    return json.dumps({"topic": TOPIC, "type": kind, "ts": 1700000000000 + update, "data": data, "cts": 1700000000000 + update})


FRAMES = [
    frame("snapshot", 1, [[f"{99.9 - n / 10:.1f}", "1"] for n in range(5)], [[f"{100.2 + n / 10:.1f}", "1"] for n in range(5)]),
    frame("delta", 2, [["100.0", "2"]], []),
    frame("delta", 3, [["100.1", "3"], ["100.0", "0"]], []),
    frame("delta", 4, [["99.8", "5"]], [["100.15", "4"]]),
]


async def serve(port, done):
    async def handler(socket):
        asked = json.loads(await socket.recv())
        await socket.send(json.dumps({"success": True, "ret_msg": "", "conn_id": "1", "req_id": asked["req_id"], "op": "subscribe"}))
        await asyncio.sleep(0.5)  # the SDK notes the callback after it has sent the subscription
        for one in FRAMES:
            await socket.send(one)
        await asyncio.get_running_loop().run_in_executor(None, done.wait)

    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        port.put(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, done.wait)


port, seen, done = queue.Queue(), queue.Queue(), threading.Event()
thread = threading.Thread(target=lambda: asyncio.run(serve(port, done)))
thread.start()
unified_trading.PUBLIC_WSS = f"ws://127.0.0.1:{port.get()}/v5/public/{{CHANNEL_TYPE}}"
client = unified_trading.WebSocket(testnet=False, channel_type="linear")
client.orderbook_stream(50, "BTCUSDT", lambda message: seen.put(json.loads(json.dumps(message))))
books = [seen.get(timeout=60) for _ in FRAMES]
done.set()
client.exit()
thread.join()

for book in books:
    bids, asks = ([row[0] for row in book["data"][side]] for side in ("b", "a"))
    print(f"type {book['type']}, u {book['data']['u']}: bids {bids} asks {asks}")
last = books[-1]["data"]
first_bid, first_ask = last["b"][0][0], last["a"][0][0]
best_bid, best_ask = max(last["b"], key=lambda row: float(row[0]))[0], min(last["a"], key=lambda row: float(row[0]))[0]
print(f"first rows {first_bid} / {first_ask}, best of the book {best_bid} / {best_ask}")
assert all(book["type"] == "snapshot" for book in books), "every callback says that it is a snapshot"
assert (first_bid, first_ask) == ("99.9", "100.2"), "the first rows are still those of the snapshot"
assert (best_bid, best_ask) == ("100.1", "100.15"), "the book itself is right"
assert last["b"][-1][0] == "100.1" and last["a"][-1][0] == "100.15", "new prices stand at the end"
print("as described")
PYTHON
venv/bin/python try.py
