#!/usr/bin/env bash
# What: pybit 5.17.0 (Bybit's own SDK for Python), `WebSocket(retries=N)`, loopback. A server that takes each connection at once.
# Guess, written down before the run: `retries=1` tries once, connects, and streams.
# Seen: with `retries=1` the connection is made (the server sees the handshake), then the SDK closes it and raises
#   WebSocketTimeoutException "connection failed. Too many connection attempts". With `retries=2` it works.
# Why the guess is wrong: the SDK counts an attempt before it looks at its outcome, so whatever connects on the last attempt counts as
#   the attempt that failed. `retries=N` is N - 1 attempts that may succeed and one that can't; the default of 10 hides it.
#   A program that limits the attempts to fail fast never starts, with an error that blames the network.
# Here: the tests of the SDK against the simulator leave `retries` at its default.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pybit==5.17.0 websockets==17.4

cat >try.py <<'PYTHON'
import asyncio
import queue
import threading

import websocket
import websockets
from pybit import unified_trading

handshakes = queue.Queue()


async def serve(port, done):
    async def handler(socket):
        handshakes.put(socket.request.path)
        await socket.wait_closed()

    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        port.put(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, done.wait)


port, done = queue.Queue(), threading.Event()
thread = threading.Thread(target=lambda: asyncio.run(serve(port, done)))
thread.start()
unified_trading.PUBLIC_WSS = f"ws://127.0.0.1:{port.get()}/v5/public/{{CHANNEL_TYPE}}"
outcomes = {}
try:
    for retries in (1, 2):
        try:
            client = unified_trading.WebSocket(testnet=False, channel_type="linear", retries=retries)
        except websocket.WebSocketTimeoutException as error:
            outcomes[retries] = "refused"
            print(f"retries={retries}: {error}")
        else:
            outcomes[retries] = "connected" if client.is_connected() else "not connected"
            print(f"retries={retries}: {outcomes[retries]}")
            client.exit()
        print(f"retries={retries}: handshake at the server: {handshakes.get(timeout=60)}")
finally:
    done.set()
    thread.join()
assert outcomes == {1: "refused", 2: "connected"}, outcomes
print("as described")
PYTHON
venv/bin/python try.py
