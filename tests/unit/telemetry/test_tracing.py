"""Traces: nothing where nobody asked, a clear sentence where the request can't be met, no secret in what is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opensqt.model.errors import ConfigError, OrderRejected
from opensqt.telemetry import tracing
from opensqt.telemetry.logging import register_secrets

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL")


@pytest.fixture
def recorded() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.stop_recording()


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    tracing.stop_recording()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.usefixtures("off")
def test_nothing_is_made_where_nothing_is_recorded() -> None:
    assert tracing.span("a") is tracing.step("b") is tracing.NOTHING
    assert tracing.outgoing() == ()
    assert tracing.incoming((("traceparent", PARENT),)) is None


@pytest.mark.usefixtures("off")
def test_no_address_records_nothing() -> None:
    with tracing.exporting("x"):
        assert not tracing.active()


def test_a_standard_variable_turns_it_on_until_the_block_ends(off: pytest.MonkeyPatch) -> None:
    off.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with tracing.exporting("x"):
        assert tracing.active()
    assert not tracing.active()


def test_a_program_with_traces_of_its_own_is_joined() -> None:
    script = "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider\n"
    script += "from opensqt.telemetry import tracing; tracing.use_existing_provider(); assert not tracing.active()\n"
    script += "trace.set_tracer_provider(TracerProvider()); tracing.use_existing_provider(); assert tracing.active()\n"
    script += "with trace.get_tracer('theirs').start_as_current_span('x'): assert tracing.outgoing()"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_a_standard_variable_turns_it_off(off: pytest.MonkeyPatch, name: str, value: str) -> None:
    off.setenv(name, value)
    with tracing.exporting("x", "http://127.0.0.1:9"):
        assert not tracing.active()


def test_another_protocol_is_refused_in_plain_words(off: pytest.MonkeyPatch) -> None:
    off.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    with pytest.raises(ConfigError, match="expected grpc"), tracing.exporting("x", "http://127.0.0.1:9"):
        pass


def test_a_missing_extra_is_named(off: pytest.MonkeyPatch) -> None:
    off.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(ConfigError, match="opensqt\\[otel\\]"), tracing.exporting("x", "http://127.0.0.1:9"):
        pass


def test_the_packages_are_not_even_loaded_where_nothing_is_recorded() -> None:
    script = "import sys; from opensqt.telemetry import tracing; tracing.span('a'); tracing.outgoing()\n"
    script += "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0


def test_a_step_needs_a_span_to_be_a_part_of(recorded: InMemorySpanExporter) -> None:
    with tracing.step("upkeep"):
        pass
    assert not recorded.get_finished_spans()
    with tracing.span("call"), tracing.step("part"):
        pass
    assert [span.name for span in recorded.get_finished_spans()] == ["part", "call"]


def test_a_call_continues_the_callers_trace(recorded: InMemorySpanExporter) -> None:
    with tracing.span("served", parent=tracing.incoming((("x", b""), ("traceparent", PARENT)))):
        ((key, value),) = tracing.outgoing()
    assert (key, value[3:35]) == ("traceparent", PARENT[3:35])
    parent = only(recorded).parent
    assert parent is not None
    assert format(parent.span_id, "016x") == PARENT[36:52]


@pytest.mark.parametrize("hostile", ["", "00-zz", PARENT * 100, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_malformed_parent_begins_a_trace_of_its_own(recorded: InMemorySpanExporter, hostile: str) -> None:
    with tracing.span("served", parent=tracing.incoming((("traceparent", hostile),))):
        pass
    assert only(recorded).parent is None


def test_an_error_of_ours_is_told_with_its_code(recorded: InMemorySpanExporter) -> None:
    with pytest.raises(OrderRejected), tracing.span("x"):
        raise OrderRejected("no margin", venue_code="-2019")
    span = only(recorded)
    assert span.status.description == "ORDER_REJECTED: no margin"
    assert span.attributes is not None
    assert span.attributes["opensqt.venue_code"] == "-2019"


def test_the_text_of_anothers_error_is_not_told(recorded: InMemorySpanExporter) -> None:
    """F33: it may hold a signed address."""
    with pytest.raises(ValueError, match="host"), tracing.span("x"):
        raise ValueError("POST https://host/order?x=1&signature=0123456789")
    assert only(recorded).status.description == "ValueError"
    assert not only(recorded).events


def test_no_attribute_shows_a_secret(recorded: InMemorySpanExporter) -> None:
    """F33: no secret shows in a log, an error or a page."""
    register_secrets("canaryTrace77")
    with tracing.span("x", {"a": "canaryTrace77"}) as span:
        span.set({"b": "signature=SECRETSECRET0123", "n": 1})
        tracing.set_attributes({"c": "canaryTrace77"})
        span.fail("key canaryTrace77")
    told = only(recorded)
    assert dict(told.attributes or {}) == {"a": "***", "b": "signature=***", "n": 1, "c": "***"}
    assert told.status.description == "key ***"
