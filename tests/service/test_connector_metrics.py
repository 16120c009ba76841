"""What the metrics page tells is what happened, and the documents name exactly what it tells."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import grpc
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.model.errors import ConfigError
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.chaos.gateway_rig import KEYS, far, gateway, request
from tests.service.connector_rig import Rig, client, order, place, rig
from tests.support import eventually

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
FOREIGN = ("process_", "python_")
Key = tuple[str, frozenset[tuple[str, str]]]


async def scrape(address: str) -> dict[Key, float]:
    """Every sample of the page, by name and labels."""
    async with aiohttp.ClientSession() as http, http.get(f"http://{address}/metrics") as page:
        families = text_string_to_metric_families(await page.text())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


async def told(running: Rig, name: str, **labels: str) -> float | None:
    found = await scrape(running.connector.metrics_address)
    return found.get((name, frozenset(labels.items())))


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """The connector's part of the document; test_market_maker_http.py compares that of the market maker."""
    text = (ROOT / "docs/metrics.md").read_text().partition("\n## The market maker")[0]
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(text)}


def registered(metrics: ConnectorMetrics) -> Iterator[tuple[str, tuple[str, frozenset[str]]]]:
    """Every metric of ours that a connector can tell; its labels stand in the family or in the object that makes it."""
    for collector in set(metrics.registry._collector_to_names):  # noqa: SLF001 - a metric without samples shows its labels nowhere else
        for family in collector.collect():
            labels = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", ())
            name = family.name + ("_total" if family.type == "counter" else "")
            if not name.startswith(FOREIGN):
                yield name, (family.type, frozenset(labels))


async def test_the_document_names_each_metric_its_type_and_labels() -> None:
    async with rig(metrics_port=0) as running:
        assert documented() == dict(registered(running.connector.metrics))


def expressions() -> dict[str, str]:
    """Every expression that the documents offer, by where it stands."""
    (group,) = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())["groups"]
    rules = {rule["alert"]: rule["expr"] for rule in group["rules"]}
    rows = re.findall(r"^\| `(\w+)` .* \| `(.*)` \|$", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    return rules | {name: expression.replace("\\|", "|") for name, expression in rows if name in documented()}


@pytest.mark.parametrize(("where", "expression"), expressions().items())
def test_each_alarm_is_promql_over_metrics_that_exist(where: str, expression: str) -> None:
    promql_parser.parse(expression)
    asked = set(re.findall(r"\b((?:connector|exchange|grpc)_\w+)", expression))
    assert asked
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= set(documented()), where


def test_the_runbook_says_what_to_do_at_each_alarm() -> None:
    (group,) = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())["groups"]
    told = re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert [rule["alert"] for rule in group["rules"]] == told


def test_the_runbook_names_no_metric_that_is_not_there() -> None:
    named = re.findall(
        r"\b((?:connector|exchange|grpc)_\w+?)(?:_bucket|_count|_sum)?\b", (ROOT / "docs/operations.md").read_text()
    )
    programs = {"grpc_health_probe"}
    assert set(named) - programs <= set(documented())


def test_an_alarm_says_what_is_the_matter() -> None:
    (group,) = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert "{{ $labels.instance }}" in rule["annotations"]["summary"], rule["alert"]


async def test_readers_and_the_backlog_of_one_that_stopped_are_told() -> None:
    """F28: a slow reader harms no other and its memory is bounded."""
    async with rig(metrics_port=0) as running, client(running.connector.address, narrow=True) as slow:
        wanted = pb.SubscribePriceRequest(symbol="BTCUSDT")
        stopped = ExchangeServiceStub(slow).SubscribePrice(wanted)
        streams = [stopped, *(running.exchange.SubscribePrice(wanted) for _ in range(2))]
        await asyncio.gather(*(stream.read() for stream in streams))

        async def behind() -> bool:
            for number in range(500):
                running.venue.tick(number)
                await asyncio.sleep(0)
            return (await told(running, "connector_stream_backlog", kind="price") or 0) > 400

        assert await told(running, "connector_stream_readers", kind="price") == 3
        await eventually(behind, what="a backlog")


async def test_a_batch_and_its_gap_are_counted() -> None:
    async with rig(metrics_port=0) as running:
        elsewhere = types_pb2.StreamPosition(epoch="other", sequence=7)
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest(position=elsewhere))
        assert (await stream.read()).gap
        assert await told(running, "connector_stream_gaps_total", kind="orders") == 1
        assert await told(running, "connector_stream_batch_size_count", kind="orders") == 1


async def test_a_stream_that_ended_for_its_slow_reader_is_counted() -> None:
    """F28: forty fills at one instant are more than this buffer holds."""
    async with rig(metrics_port=0, stream_buffer=16) as running:
        stream = running.exchange.SubscribeOrders(pb.SubscribeOrdersRequest())
        await stream.read()
        assert await told(running, "connector_stream_overflows_total", kind="orders") == 0
        for number in range(40):
            await running.exchange.PlaceOrder(place(f"f{number}"))
        running.venue.set_price("BTCUSDT", Decimal(90), Decimal("90.1"))

        async def overflowed() -> bool:
            return await told(running, "connector_stream_overflows_total", kind="orders") == 1

        await eventually(overflowed, what="an overflow")


async def test_a_slow_client_that_goes_away_in_the_middle_of_a_write_is_no_failure() -> None:
    async with rig(metrics_port=0) as running:
        async with client(running.connector.address, narrow=True) as slow:
            stream = ExchangeServiceStub(slow).SubscribeOrders(pb.SubscribeOrdersRequest())
            await stream.read()
            for batch in range(20):
                orders = [order(f"g{batch}x{number}") for number in range(100)]
                await running.exchange.BatchPlaceOrders(pb.BatchPlaceOrdersRequest(orders=orders))
            await eventually(lambda: stuck(running), what="a write that waits")

        async def ended() -> bool:
            return await told(running, "grpc_requests_total", method="SubscribeOrders", status="CANCELLED") == 1

        await eventually(ended, what="the end of the stream")
        assert await told(running, "connector_call_errors_total", reason="INTERNAL") is None


async def stuck(running: Rig) -> bool:
    return (await told(running, "connector_stream_backlog", kind="orders") or 0) > 100


async def test_a_refused_call_is_counted_by_its_reason() -> None:
    async with rig(metrics_port=0) as running:
        with pytest.raises(grpc.aio.AioRpcError):
            await running.exchange.GetLatestPrice(pb.GetLatestPriceRequest())

        async def counted() -> bool:
            # A call is counted after its answer has gone out.
            return await told(running, "connector_call_errors_total", reason="INVALID_REQUEST") == 1

        await eventually(counted, what="the count of the call")


async def test_each_order_of_a_batch_is_counted_by_what_became_of_it() -> None:
    async with rig(metrics_port=0) as running:
        await running.exchange.PlaceOrder(place("o1"))
        batch = pb.BatchPlaceOrdersRequest(orders=[order("o2"), order("o3", symbol="NOPE"), order("o1", quantity="7")])
        await running.exchange.BatchPlaceOrders(batch)
        with pytest.raises(grpc.aio.AioRpcError):
            await running.exchange.CancelOrder(
                pb.CancelOrderRequest(order=types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="none"))
            )
        expected = {
            ("place", "OK"): 2,
            ("place", "UNKNOWN_SYMBOL"): 1,
            ("place", "DUPLICATE_ORDER"): 1,
            ("cancel", "ORDER_NOT_FOUND"): 1,
        }

        async def counted() -> bool:
            # A call is counted after its answer has gone out.
            found = samples(await scrape(running.connector.metrics_address), "connector_orders_total")
            return {tuple(labels.values()): count for labels, count in found} == expected

        await eventually(counted, what="the count of each order")


def samples(found: dict[Key, float], wanted: str) -> list[tuple[dict[str, str], float]]:
    return [(dict(sorted(labels)), value) for (name, labels), value in found.items() if name == wanted]


async def test_a_file_that_can_not_be_taken_up_is_told_and_health_stays(tmp_path: Path) -> None:
    async def refuse() -> None:
        raise ConfigError("clients.yaml: wrong")

    async with rig(metrics_port=0) as running:
        running.connector.reloads.add("clients", [tmp_path / "clients.yaml"], refuse)
        await running.connector.reloads.look(everything=True)
        await running.connector.health.look()
        assert await told(running, "connector_configuration_refused", source="clients") == 1
        assert await told(running, "connector_serving") == 1


async def test_what_holds_the_event_loop_up_is_told() -> None:
    async with rig(metrics_port=0) as running:
        time.sleep(0.3)  # noqa: ASYNC251 - this is what holds it up

        async def late() -> bool:
            soon = await told(running, "connector_event_loop_lag_seconds_bucket", le="0.1")
            return soon != await told(running, "connector_event_loop_lag_seconds_count")

        await eventually(late, what="a late wake-up")


async def test_commits_of_the_journal_are_timed_and_sized() -> None:
    """An intent and an outcome each, several in one commit."""
    async with rig(metrics_port=0) as running:
        await asyncio.gather(*(running.exchange.PlaceOrder(place(f"m{number}")) for number in range(20)))

        async def written() -> bool:
            return (await told(running, "connector_journal_commit_size_sum") or 0) >= 40

        await eventually(written, what="all changes")
        found = await scrape(running.connector.metrics_address)
    commits = value(found, "connector_journal_commit_seconds_count")
    changes = value(found, "connector_journal_commit_size_sum")
    assert commits is not None
    assert changes is not None
    assert 0 < commits < changes


async def test_what_the_adapter_does_at_the_venue_is_told(tmp_path: Path) -> None:
    """Lanes, errors, connections, budget, ages; and no secret on the page (F33)."""
    async with gateway("binance", tmp_path) as running, running.client() as exchange:
        address = metrics_of(running.process.output)
        price = await far(exchange)
        running.fault(kind="timeout_unknown", on="place_order")
        running.fault(kind="hide_orders", for_ms=1_000)
        await exchange.place_order(request(price=price))
        found = await eventually(lambda: calm(address), what="health and no open question")
    assert value(found, "exchange_request_duration_seconds_count", lane="order") == 1
    assert value(found, "exchange_request_wait_seconds_count", lane="order") == 1
    assert value(found, "exchange_request_errors_total", reason="ORDER_OUTCOME_UNKNOWN")
    assert value(found, "exchange_connections_opened_total", kind="private") == 1
    assert value(found, "connector_order_resolution_seconds_count") == 1
    assert any(name == "exchange_rate_budget_left_ratio" and 0 < left < 1 for (name, _), left in found.items())
    assert any(name == "exchange_stream_data_age_seconds" for name, _ in found)
    assert not any(secret in str(found) for secret in KEYS.values())


async def calm(address: str) -> dict[Key, float] | None:
    found = await scrape(address)
    well = value(found, "connector_check", check="private_stream") == 1
    return found if well and value(found, "connector_orders_unresolved") == 0 else None


def metrics_of(output: str) -> str:
    found = re.search(r'"metrics": ?"([\d.:]+)"', output)
    assert found
    return found[1]


def value(found: dict[Key, float], name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


async def test_the_metrics_are_shown_under_names_of_this_server_only() -> None:
    """A page of another site whose name points at this address would read volumes."""
    async with rig(metrics_port=0, metrics_allowed_hosts=("desk",)) as running, aiohttp.ClientSession() as http:
        url = f"http://{running.connector.metrics_address}/metrics"
        async with http.get(url, headers={"Host": "evil.example"}) as page:
            assert page.status == 421
            assert "server.metrics_allowed_hosts" in await page.text()
        async with http.get(url, headers={"Host": "desk:9101"}) as page:
            assert page.status == 200
