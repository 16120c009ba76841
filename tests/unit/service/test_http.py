"""HTTP servers and the endpoint that Prometheus reads."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from opensqt.model.errors import ConfigError
from opensqt.service.http import metrics_server
from opensqt.service.listen import ListenAddress


async def one_metric() -> bytes:
    return b"# TYPE answer gauge\nanswer 42\n"


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0))
    await server.start()
    async with aiohttp.ClientSession() as session, session.get(f"http://{server.address}/metrics") as response:
        kind, text = response.headers["Content-Type"], await response.text()
    await server.close()
    assert kind.startswith("text/plain; version=")
    assert [family.name for family in text_string_to_metric_families(text)] == ["answer"]


async def test_a_closed_server_leaves_its_port_and_can_be_closed_again() -> None:
    server = metrics_server(one_metric, ListenAddress("127.0.0.1", 0))
    await server.start()
    port = int(server.address.rpartition(":")[2])
    await server.close()
    await server.close()
    ListenAddress("127.0.0.1", port).check_free()


async def test_a_port_in_use_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: already in use"):
            await metrics_server(one_metric, ListenAddress("127.0.0.1", port)).start()
