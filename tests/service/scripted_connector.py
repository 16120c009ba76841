"""A connector whose every answer a test writes: a real gRPC server with scripted handlers."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import ExchangeError
from opensqt.proto import exchange_service_pb2_grpc as service_grpc
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import gateway_service_pb2_grpc as gateway_grpc
from opensqt.wire import errors as wire_errors
from tests.support.grpc_server import serving

HOLD = "hold the stream open"
SILENCE = "never answer"


class ScriptedConnector(health_pb2_grpc.HealthServicer, gateway_grpc.GatewayServiceServicer):
    """Answers each method with what stands in its script, the last entry for ever.

    An entry is a message; an error of ours; a bare StatusCode, as a proxy would give; SILENCE; for a stream a
    list of messages, ended by one of these or by HOLD.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, deque[Any]] = defaultdict(deque)
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.metadata: list[dict[str, Any]] = []
        self.health = health_pb2.HealthCheckResponse.SERVING
        self.streams_open = 0
        self.held = 0
        """Calls that are held open."""
        self._release = asyncio.Event()

    def script(self, method: str, *entries: Any) -> None:
        self.scripts[method] = deque(entries)

    def register(self, server: grpc.aio.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self, server)
        gateway_grpc.add_GatewayServiceServicer_to_server(self, server)
        service_grpc.add_ExchangeServiceServicer_to_server(_Methods(self), server)

    async def Check(self, _request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.metadata.append(dict(context.invocation_metadata()))
        if self.scripts["Check"]:
            return await self.unary("Check", _request, context)
        return health_pb2.HealthCheckResponse(status=self.health)

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self.unary("GetStatus", request, context) or gateway_pb.GetStatusResponse()

    async def Heartbeat(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self.unary("Heartbeat", request, context)

    def end_streams(self) -> None:
        """End the calls that are held open, as a connector that stops does."""
        self._release.set()
        self._release = asyncio.Event()

    async def unary(self, method: str, request: Any, context: Any) -> Any:
        entry = self._next(method, request, context)
        await self._fail_if_told(entry, context)
        return entry

    async def stream(self, method: str, request: Any, context: Any) -> AsyncIterator[Any]:
        self.streams_open += 1
        try:
            for entry in self._next(method, request, context):
                await self._fail_if_told(entry, context)
                yield entry
        finally:
            self.streams_open -= 1

    def _next(self, method: str, request: Any, context: Any) -> Any:
        self.received[method].append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        script = self.scripts[method]
        if not script:
            return None
        return script.popleft() if len(script) > 1 else script[0]

    async def _fail_if_told(self, entry: Any, context: Any) -> None:
        if isinstance(entry, ExchangeError):
            await wire_errors.abort(context, entry)
        if isinstance(entry, grpc.StatusCode):
            await context.abort(entry, "not from the connector's hand")
        if entry in (HOLD, SILENCE):
            self.held += 1
            try:
                await self._release.wait()
            finally:
                self.held -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "ended")


class _Methods(service_grpc.ExchangeServiceServicer):
    """Sends every method of ExchangeService to the script."""

    def __init__(self, connector: ScriptedConnector) -> None:
        for name in [one for one in dir(service_grpc.ExchangeServiceServicer) if one[0].isupper()]:
            setattr(self, name, _handler(connector, name))


def _handler(connector: ScriptedConnector, name: str) -> Any:
    if name.startswith("Subscribe"):

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            async for message in connector.stream(name, request, context):
                yield message

        return stream

    async def unary(request: Any, context: Any) -> Any:
        return await connector.unary(name, request, context)

    return unary


@asynccontextmanager
async def connected(
    connector: ScriptedConnector,
    *,
    deadline_s: float = 5,
    retry_scale: float = 0.001,
    server_options: Iterable[tuple[str, int]] = (),
) -> AsyncIterator[RemoteExchange]:
    """Serve the scripted connector and answer a RemoteExchange that is connected to it."""
    async with serving(connector.register, options=server_options) as port:
        settings = RemoteSettings(base_url=f"127.0.0.1:{port}", deadline_s=deadline_s, retry_scale=retry_scale)
        async with RemoteExchange(settings) as exchange:
            yield exchange
