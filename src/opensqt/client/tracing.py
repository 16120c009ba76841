"""The client's end of a trace: a span around each call, and what lets the connector continue it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from opensqt.telemetry import tracing


def traced(method: Any) -> AbstractContextManager[tracing.Span]:
    """Answer the span of one call by a stub's *method*; one that does nothing where nothing is recorded."""
    if not tracing.active():
        return tracing.NOTHING
    # Stubs don't tell their method in any public way.
    name = method._method.decode().removeprefix("/")
    service, _, called = name.rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": called}
    return tracing.span(name, attributes, kind=tracing.Kind.CLIENT)
