"""An OpenTelemetry collector of a test's own: takes traces over OTLP and gRPC, as the real ones do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.support.grpc_server import serving


@dataclass(frozen=True)
class Span:
    """One span as it came."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    error: str


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that is sent to it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.endpoint = ""
        self.raw = b""
        """All that came, to search for what must not be in it."""

    async def Export(self, request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.raw += request.SerializeToString()
        for resource in request.resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(service, span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def ancestors(self, span: Span) -> list[str]:
        """The names from a span's parent up to the root."""
        by_id = {one.span_id: one for one in self.spans}
        found = []
        while parent := by_id.get(span.parent_id):
            found.append(parent.name)
            span = parent
        return found


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run a collector on a free port."""
    made = Collector()

    def register(server: Any) -> None:
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(made, server)

    async with serving(register) as port:
        made.endpoint = f"http://127.0.0.1:{port}"
        yield made


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_values(span.attributes),
        error=span.status.message if span.status.code == 2 else "",
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
