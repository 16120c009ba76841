"""Traces of a call through every process that it passes, sent by OTLP; without cost while tracing is off.

The OpenTelemetry packages are the extra `otel`. Without them, or without an address to send to, `span` returns one and
the same object that does nothing. `use_existing_provider` joins a program that has set OpenTelemetry up itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.telemetry import logging
from opensqt.telemetry.logging import redact

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as RecordedSpan
    from opentelemetry.trace import Tracer

Attributes = Mapping[str, str | int | float | bool]
Metadata = tuple[tuple[str, str], ...]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_PROPAGATED = ("traceparent", "tracestate")
_FLUSH_S = 1.0
"""Seconds that a stop waits for the last spans to be sent; an unreachable collector must not delay it."""

_tracer: Tracer | None = None


class SpanRole(Enum):
    """The end of a call that a span is, by OpenTelemetry's names."""

    INTERNAL = "INTERNAL"
    CLIENT = "CLIENT"
    SERVER = "SERVER"


class Span:
    """A span that is not recorded."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def set(self, attributes: Attributes) -> None:
        """Set attributes; secrets are removed."""

    def fail(self, reason: str) -> None:
        """Mark it as failed, with the reason."""


class _Recorded(Span):
    def __init__(self, span: RecordedSpan) -> None:
        self._span = span
        self.failed = False

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(_clean(attributes))

    def fail(self, reason: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self.failed = True
        self._span.set_status(Status(StatusCode.ERROR, redact(reason)))


NOTHING = Span()
"""Returned by `span` while nothing is recorded."""


def active() -> bool:
    """Return whether spans are recorded; attributes need not be collected otherwise."""
    return _tracer is not None


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanRole = SpanRole.INTERNAL,
    parent: Context | None = None,
) -> AbstractContextManager[Span]:
    """Record the block as one span, a child of the current one.

    An exception marks it as failed, with its text and the venue's code.

    Args:
        name: Of few different values, e.g. `POST fapi/v1/order`.
        attributes: Secrets are removed from them.
        kind: The end of a call that it is.
        parent: The context that `incoming` returned; None is the current span.
    """
    return NOTHING if _tracer is None else _record(_tracer, name, attributes or {}, kind, parent)


def step(
    name: str, attributes: Attributes | None = None, *, kind: SpanRole = SpanRole.INTERNAL
) -> AbstractContextManager[Span]:
    """Record the block as a part of the current span; nothing where there is none, as in internal requests."""
    if _tracer is None:
        return NOTHING
    from opentelemetry.trace import get_current_span

    return span(name, attributes, kind=kind) if get_current_span().get_span_context().is_valid else NOTHING


def set_attributes(attributes: Attributes) -> None:
    """Set attributes of the current span; secrets are removed."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        _Recorded(get_current_span()).set(attributes)


def outgoing() -> Metadata:
    """Return the metadata with which the other end of a call continues the current trace; empty when there is none."""
    if _tracer is None:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return tuple(carrier.items())


def incoming(metadata: Iterable[tuple[str, Any]] | None) -> Context | None:
    """Return the trace that a call continues, from its metadata."""
    if _tracer is None:
        return None
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {key: value for key, value in metadata or () if key in _PROPAGATED and isinstance(value, str)}
    # Without one it begins a trace: the task that handles the call may have inherited a span.
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def use_existing_provider() -> None:
    """Record with the provider that this program has set up itself, if it has."""
    if _tracer is None and "opentelemetry.sdk.trace" in sys.modules:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        provider = trace.get_tracer_provider()
        if isinstance(provider, TracerProvider):
            use(provider)


@contextmanager
def exporting(service: str, endpoint: str = "") -> Iterator[None]:
    """Send the spans of this process while the block runs, if the settings or OTEL_... variables name an address.

    Args:
        service: The process's name; OTEL_SERVICE_NAME wins.
        endpoint: `http://HOST:4317` of an OTLP collector that speaks gRPC; OTEL_... variables are used where empty.

    Raises:
        ConfigError: An address is given, but the extra is not installed or the protocol is another one.
    """
    provider = _provider(service, endpoint)
    if provider is None:
        yield
        return
    use(provider)
    try:
        yield
    finally:
        _stop(provider)


def _provider(service: str, endpoint: str) -> TracerProvider | None:
    environ = os.environ
    named = endpoint or next((environ[name] for name in _ENDPOINTS if environ.get(name)), "")
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    if not named or off:
        return None
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "grpc")
    if protocol != "grpc":
        raise ConfigError(f"OTEL_EXPORTER_OTLP_PROTOCOL {protocol!r}: expected grpc, the only supported one")
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(
            f"telemetry.otlp_endpoint {named!r}: traces need the extra otel; pip install 'opensqt[otel]'"
        ) from None
    for name in _HEADERS:
        logging.register_secrets(*(pair.partition("=")[2].strip() for pair in environ.get(name, "").split(",")))
    resource = Resource.create({} if environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint or None)))
    return provider


def use(provider: TracerProvider) -> None:
    """Send the spans of this process to *provider*."""
    global _tracer
    _tracer = provider.get_tracer("opensqt")
    logging.add_fields(_ids)


def stop_recording() -> None:
    """Record no more spans in this process. Idempotent."""
    global _tracer
    _tracer = None


def _stop(provider: TracerProvider) -> None:
    stop_recording()
    flushing = threading.Thread(target=provider.shutdown, name="tracing", daemon=True)
    flushing.start()
    flushing.join(_FLUSH_S)


@contextmanager
def _record(
    tracer: Tracer, name: str, attributes: Attributes, kind: SpanRole, parent: Context | None
) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind

    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=SpanKind[kind.value],
        attributes=_clean(attributes),
        # OpenTelemetry would record the texts of exceptions with their secrets.
        record_exception=False,
        set_status_on_exception=False,
    ) as recorded:
        span_state = _Recorded(recorded)
        try:
            yield span_state
        except Exception as error:
            if not span_state.failed:
                # The text of a foreign exception may contain a whole signed address.
                span_state.fail(
                    f"{error.reason}: {error}" if isinstance(error, ExchangeError) else type(error).__name__
                )
            if isinstance(error, ExchangeError) and error.venue_code:
                span_state.set({"opensqt.venue_code": error.venue_code})
            raise


def _clean(attributes: Attributes) -> dict[str, str | int | float | bool]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in attributes.items()}


def _ids() -> Mapping[str, str]:
    """Return the ids of the span that a log line is written in."""
    if _tracer is None:
        return {}
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
