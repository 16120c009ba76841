"""The floor: a bare grpc.aio server that answers with bytes made beforehand, and does nothing else."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from typing import Any

import grpc
import orjson
import uvloop

from opensqt.wire import options


def main() -> int:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.gateway.floor")
    parser.add_argument("answers", help="JSON of method to answer in base64; a streaming method writes it for ever")
    options = parser.parse_args()
    answers = {name: base64.b64decode(data) for name, data in orjson.loads(options.answers).items()}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(answers))
    return 0


async def _serve(answers: dict[str, bytes]) -> None:
    server = grpc.aio.server(options=options.SERVER_OPTIONS)
    handlers = {name: _handler(name, answer) for name, answer in answers.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(options.EXCHANGE_SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"floor ready on 127.0.0.1:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(grace=0)


def _handler(name: str, answer: bytes) -> Any:
    async def echo(_request: bytes, _context: Any) -> bytes:
        return answer

    async def flood(_request: bytes, context: Any) -> None:
        while True:
            await context.write(answer)

    if name.startswith("Subscribe"):
        return grpc.unary_stream_rpc_method_handler(flood)
    return grpc.unary_unary_rpc_method_handler(echo)


if __name__ == "__main__":
    sys.exit(main())
