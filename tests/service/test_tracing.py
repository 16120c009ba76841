"""One order is one trace: from the client's call through the connector's process to the venue's request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opensqt.telemetry import tracing
from tests.chaos.gateway_rig import KEYS, Gateway, far, gateway, request
from tests.support import eventually
from tests.support.collector import Collector, Span, collector

PLACE = "opensqt.market_maker.v1.ExchangeService/PlaceOrder"
TRADE = "POST order"
VENUE = {"name": "binance", "symbols": ["BTCUSDT"], "recv_window_ms": 1_000, "visibility_margin_s": 0.2}
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@pytest.fixture
def client_spans() -> Iterator[InMemorySpanExporter]:
    """This process records as a user's own program would; no other test sees it."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.stop_recording()
    provider.shutdown()


@asynccontextmanager
async def traced(folder: Path, **env: str) -> AsyncIterator[tuple[Gateway, Collector]]:
    async with (
        collector() as collected,
        gateway(
            "binance",
            folder,
            config={"exchange": VENUE, "telemetry": {"otlp_endpoint": collected.endpoint}},
            environ={**KEYS, **FAST, **env},
        ) as rig,
    ):
        yield rig, collected


async def found(collected: Collector, name: str) -> Span:
    await eventually(lambda: collected.named(name), what=f"a span {name}")
    return collected.named(name)[-1]


async def test_an_order_is_one_trace_over_two_processes(tmp_path: Path, client_spans: InMemorySpanExporter) -> None:
    """And the log names it."""
    async with traced(tmp_path) as (rig, collected):
        async with rig.client() as exchange:
            order = await exchange.place_order(request(price=await far(exchange)))
        sent, served = await found(collected, TRADE), await found(collected, PLACE)
        await rig.stop()
    (asked,) = [span for span in client_spans.get_finished_spans() if span.name == PLACE]
    assert asked.context is not None
    assert served.parent_id == format(asked.context.span_id, "016x")
    of_this = [span for span in collected.spans if span.trace_id == format(asked.context.trace_id, "032x")]
    assert {span.name for span in of_this} >= {PLACE, "journal commit", "rate budget", TRADE}
    assert collected.ancestors(sent) == [PLACE]
    assert served.attributes["opensqt.client_order_id"] == order.client_order_id
    assert sent.attributes["http.response.status_code"] == 200
    lines = [json.loads(line) for line in rig.output.splitlines() if '"PlaceOrder"' in line]
    assert [line["trace_id"] for line in lines if line["event"] == "call"] == [served.trace_id]


async def test_resolving_an_order_belongs_to_its_trace(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collected), rig.client() as exchange:
        price = await far(exchange)
        rig.fault(kind="drop_reply", on="place_order")
        await exchange.place_order(request(price=price))
        asked = await found(collected, "GET order")
        (sent,) = collected.named(TRADE)
    assert collected.ancestors(asked) == ["resolve", PLACE]
    assert sent.trace_id == asked.trace_id
    assert sent.error


async def test_failures_are_told_and_no_secret_leaves_in_a_trace(tmp_path: Path) -> None:
    """F33: nor the address of a signed request, whatever it failed with; the venue's code does."""
    async with traced(tmp_path, OTEL_EXPORTER_OTLP_HEADERS="x-key=canaryHeader123") as (rig, collected):
        async with rig.client(token="canaryToken123456") as exchange:
            price = await far(exchange)
            for fault in ("drop_reply", "error_after", "refuse", "error_before", "unreachable"):
                rig.fault(kind=fault, on="place_order", code="-2019")
                await asyncio.gather(exchange.place_order(request(price=price)), return_exceptions=True)
        await rig.stop()
        failed = [span.attributes.get("opensqt.venue_code") for span in collected.named(TRADE) if span.error]
        assert (len(failed), failed[2]) == (5, "-2019")
        for secret in (*KEYS.values(), "canaryToken", "canaryHeader", "signature"):
            assert secret.encode() not in collected.raw
        assert "canaryHeader" not in rig.output
