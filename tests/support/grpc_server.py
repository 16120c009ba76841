"""A real gRPC server on a free port, for services whose behaviour a test writes itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc


@asynccontextmanager
async def serving(
    *register: Callable[[grpc.aio.Server], Any], port: int = 0, options: Iterable[tuple[str, int]] = ()
) -> AsyncIterator[int]:
    """Serve what the functions register on the server, and answer its port; gone at the end of the block."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *options])
    for one in register:
        one(server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
