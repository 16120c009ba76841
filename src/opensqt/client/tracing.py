"""Tracing of the client: a span around each call, whose context the connector continues."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from opensqt.telemetry import tracing


def traced(method: Any) -> AbstractContextManager[tracing.Span]:
    """Return the span of one call of a stub's *method*; a span without effect where tracing is off."""
    if not tracing.active():
        return tracing.NOTHING
    # Stubs have no public attribute with the name of their method.
    name = method._method.decode().removeprefix("/")
    service, _, called = name.rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": called}
    return tracing.span(name, attributes, kind=tracing.SpanRole.CLIENT)
