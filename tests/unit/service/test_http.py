"""HTTP servers and the endpoint that Prometheus reads."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from opensqt.model.errors import ConfigError
from opensqt.service.http import metrics_server, own_hosts
from opensqt.service.listen import ListenAddress

CHECK = own_hosts(["desk.example"], option="server.names")


async def one_metric() -> bytes:
    return b"# TYPE answer gauge\nanswer 42\n"


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0), CHECK)
    await server.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://{server.address}/metrics") as response:
        kind, text = response.headers["Content-Type"], await response.text()
    await server.close()
    assert kind.startswith("text/plain; version=")
    assert [family.name for family in text_string_to_metric_families(text)] == ["answer"]


async def test_a_closed_server_leaves_its_port_and_can_be_closed_again() -> None:
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0), CHECK)
    await server.start()
    port = int(server.address.rpartition(":")[2])
    await server.close()
    await server.close()
    ListenAddress("127.0.0.1", port).check_free()


async def test_a_port_in_use_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: already in use"):
            await metrics_server(one_metric, ListenAddress("127.0.0.1", port), CHECK).start()


@pytest.mark.parametrize(
    "host", ["localhost:9101", "127.0.0.1", "[::1]:9101", "10.1.2.3:9101", "desk.example", "DESK.example:1"]
)
async def test_a_request_by_a_name_of_this_server_is_served(host: str) -> None:
    assert (await asked_as(host))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9101", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
async def test_a_request_by_another_name_is_refused_and_the_answer_names_the_setting(host: str) -> None:
    """A page of another site lets its own name point at this address, and would read volumes and positions."""
    status, text = await asked_as(host)
    assert status == 421
    assert "add it to server.names" in text
    assert "42" not in text


async def test_a_probe_without_a_host_is_served() -> None:
    """HTTP/1.0 knows none, and no browser leaves it out."""
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0), CHECK)
    await server.start()
    host, port = server.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await server.close()
    assert answer.startswith(b"HTTP/1.0 200")


async def asked_as(host: str) -> tuple[int, str]:
    """Ask for the metrics with that name as the host; return status and text."""
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0), CHECK)
    await server.start()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{server.address}/metrics", headers={"Host": host}) as response,
    ):
        status, text = response.status, await response.text()
    await server.close()
    return status, text
