#!/usr/bin/env bash
# What: grpcio 1.85.1, grpc.aio server, loopback. A unary handler that refuses its call with `await context.abort(...)`, as the
#   documentation shows it. 60 calls, one after the other, each with a request of 900,000 bytes.
# Guess, written down before the run: as soon as a call has ended its request is free, whether the handler returned or
#   aborted; the objects of the server's process are those from before.
# Seen: each aborted call leaves its request: 60 of 60 are still there when the last has ended, and all but one or two go with
#   the next full garbage collection. With a handler that returns a response instead, none is left.
# Why the guess is wrong: `abort` raises, and grpc.aio keeps that exception in the state of the call. The exception's traceback holds
#   the handler's frame, the frame holds `context`, and that the state: a circle. Reference counts never reach zero, and the frame
#   holds the request, too. A server that collects rarely, as those that must not pause do, grows by what it refuses: a client
#   with the wrong token and large requests fills its memory. `del request` before `abort` is enough to let it go.
# Here: src/opensqt/connector/rpc/dispatch.py lets go of it, and tests/service/test_connector_memory.py holds it to that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.1

cat >try.py <<'PYTHON'
import asyncio
import gc
import weakref

import grpc

CALLS = 60


class Request:
    """What the deserializer makes of the bytes; counted while it lives."""

    alive = weakref.WeakSet()

    def __init__(self, data):
        self.data = data
        Request.alive.add(self)


async def aborts(request, context):
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")


async def lets_go_and_aborts(request, context):
    del request
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")


async def returns(request, context):
    return b"taken"


async def left_by(handler):
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(handler, request_deserializer=Request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pkg.Service", {"Ask": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.collect()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary("/pkg.Service/Ask")
        for _ in range(CALLS):
            try:
                await ask(b"x" * 900_000)
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    await asyncio.sleep(0.5)
    left = len(Request.alive)
    gc.collect()
    await server.stop(None)
    return left, len(Request.alive)


async def main():
    gc.disable()
    seen = {handler.__name__: await left_by(handler) for handler in (aborts, lets_go_and_aborts, returns)}
    for name, (left, after) in seen.items():
        print(f"{name}: of {CALLS} requests {left} are left when all calls have ended, {after} after a collection")
    left, after = seen["aborts"]
    assert left == CALLS and after < 5, seen
    assert seen["returns"] == (0, 0), seen
    assert seen["lets_go_and_aborts"] == (0, 0), seen
    print("as described")


asyncio.run(main())
PYTHON
venv/bin/python try.py
