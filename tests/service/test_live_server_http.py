"""The live server's HTTP face: who may see it, and what it says about itself."""

from __future__ import annotations

import orjson
import pytest

from tests.support.live_server import SYMBOL, UPGRADE, exchange_with_history, fetch, serve
from tests.support.wait import eventually


async def test_a_page_of_another_site_may_not_listen():
    async with serve(exchange_with_history()) as address:
        answer = await fetch(address, "/ws", {**UPGRADE, "Origin": "http://evil.example"})
    assert answer.status == 403


async def test_a_name_that_is_not_ours_is_not_served():
    """A page elsewhere could have its own name point at this address."""
    async with serve(exchange_with_history()) as address:
        assert (await fetch(address, "/status", {"Host": "evil.example"})).status == 421
        assert (await fetch(address, "/status", {"Host": "localhost"})).status == 200


async def test_a_name_from_the_settings_is_served():
    async with serve(exchange_with_history(), allowed_hosts=["desk.example"]) as address:
        assert (await fetch(address, "/status", {"Host": "desk.example:8081"})).status == 200


@pytest.mark.parametrize("path", ["/", "/live"])
async def test_the_page_runs_no_script_but_its_own(path: str):
    async with serve(exchange_with_history()) as address:
        page = await fetch(address, path)
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    assert 'src="http' not in page.text


@pytest.mark.parametrize("name", ["lightweight-charts.mjs", "lightweight-charts.LICENSE"])
async def test_the_chart_library_and_its_licence_are_served_by_us(name: str):
    async with serve(exchange_with_history()) as address:
        answer = await fetch(address, f"/static/vendor/{name}")
    assert answer.status == 200
    assert len(answer.text) > 10_000


async def test_nothing_outside_the_pages_folder_is_served():
    async with serve(exchange_with_history()) as address:
        assert (await fetch(address, "/static/%2e%2e/service.py")).status in (403, 404)


async def test_status_tells_what_is_served():
    async with serve(exchange_with_history()) as address:
        status = orjson.loads((await fetch(address, "/status")).text)
    assert (status["symbol"], status["clients"], status["candles"]) == (SYMBOL, 0, 100)


async def test_metrics_have_the_names_that_users_know():
    async with serve(exchange_with_history()) as address:
        metrics = await eventually(lambda: connected(address))
    assert 'exchange_stream_messages_total{stream="price"}' in metrics
    assert "live_server_clients 0.0" in metrics


async def connected(address: str) -> str:
    """The metrics, once all five streams deliver."""
    text = (await fetch(address, "/metrics")).text
    wanted = [f'exchange_stream_connected{{exchange="memory",stream="{name}"}} 1.0' for name in STREAMS]
    return text if all(line in text for line in wanted) else ""


STREAMS = ("price", "klines", "orders", "account", "positions")
