"""A span for each unary call that continues the caller's trace."""

from __future__ import annotations

from typing import Any

import grpc

from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.telemetry import tracing


def traced(method: str, handler: Handler) -> Handler:
    """Wrap a finished handler in a span; the handler itself where nothing is recorded.

    Args:
        method: With its service, e.g. `opensqt.market_maker.v1.ExchangeService/PlaceOrder`.
        handler: Aborts the call by itself when it fails.
    """
    if not tracing.active():
        return handler
    service, _, name = method.rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

    async def answer(request: Any, context: Context) -> Any:
        parent = tracing.incoming(context.invocation_metadata())
        with tracing.span(method, attributes, kind=tracing.SpanRole.SERVER, parent=parent) as span:
            try:
                return await handler(request, context)
            finally:
                code = context.code() or grpc.StatusCode.OK
                span.set({"rpc.grpc.status_code": code.value[0]})
                if code is not grpc.StatusCode.OK:
                    span.fail(f"{code.name}: {context.details()}")

    return answer
