"""What the market maker serves over HTTP, on an exchange in memory."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from opensqt.config.market_maker import GridTradingSettings, MarketMakerAppSettings, MarketMakerSettings
from opensqt.market_maker.app import assemble
from opensqt.market_maker.http import Endpoints
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.model.order import Order
from opensqt.service.http import HttpServer
from opensqt.service.listen import ListenAddress
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

SYMBOL = "ETHUSDT"
METRICS_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
NAMES = (
    "market_maker_pnl_realized_total",
    "market_maker_pnl_unrealized",
    "market_maker_orders_active",
    "market_maker_orders_placed_total",
    "market_maker_orders_filled_total",
    "market_maker_volume_total",
    "market_maker_position_size",
    "market_maker_latency_exchange_ms",
    "market_maker_latency_tick_to_trade_ms",
    "market_maker_risk_triggered",
    "market_maker_circuit_breaker_open",
)


@pytest.fixture
def exchange() -> InMemoryExchange:
    made = InMemoryExchange()
    made.set_price(SYMBOL, Decimal("2000.00"), Decimal("2000.01"))
    return made


@pytest.fixture
async def url(exchange: InMemoryExchange, tmp_path: Path) -> AsyncIterator[str]:
    async with served(exchange, tmp_path, price_max_age_seconds="1") as address:
        yield address


@asynccontextmanager
async def served(exchange: InMemoryExchange, folder: Path, **trading: str) -> AsyncIterator[str]:
    settings = MarketMakerSettings(
        app=MarketMakerAppSettings(database_url=f"sqlite:///{folder}/grid.db"),
        trading=GridTradingSettings.model_validate({"symbol": SYMBOL, **trading}),
    )
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.app.database_url)
        stack.push_async_callback(store.close)
        made = await assemble(settings, store, stack, lambda _settings: exchange)
        endpoints = Endpoints()
        server = await started(endpoints)
        stack.push_async_callback(server.close)
        endpoints.maker = MarketMaker(
            made.engine, made.exchange, store, info=made.info, rules=made.rules, cancel_on_exit=True
        )
        stop, ready = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(endpoints.maker.run(stop, ready.set))
        await eventually(ready.is_set)
        # A price that passes the levels before their buys are there fills none of them, nor does one that is too old.
        await eventually(lambda: _laid(exchange))
        yield f"http://{server.address}"
        stop.set()
        await task


async def _laid(exchange: InMemoryExchange) -> list[Order]:
    exchange.set_price(SYMBOL, Decimal("2000.00"), Decimal("2000.01"))
    return await exchange.get_open_orders(SYMBOL)


async def started(endpoints: Endpoints) -> HttpServer:
    server = HttpServer(endpoints.application(), ListenAddress("127.0.0.1", 0))
    await server.start()
    return server


async def health(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
        return answer.status, await answer.text()


async def test_health_follows_the_price(url: str, exchange: InMemoryExchange) -> None:
    """F13 F31: 503 with the reason while no price comes, 200 when it does again."""

    async def told(status: int, reason: str) -> bool:
        code, text = await health(url)
        return code == status and reason in text

    await eventually(lambda: told(503, "stale price"))
    exchange.set_price(SYMBOL, Decimal("2000.00"), Decimal("2000.01"))
    await eventually(lambda: told(200, ""))


async def test_health_tells_what_ails_the_exchange(url: str, exchange: InMemoryExchange) -> None:
    """F31: health never says yes while a part is dead."""
    exchange.set_unhealthy("the venue does not answer")

    async def told() -> bool:
        return "the venue does not answer" in (await health(url))[1]

    await eventually(told)


@pytest.mark.parametrize("path", ["/health", "/status", "/metrics"])
async def test_a_name_that_is_not_ours_is_not_served(url: str, path: str) -> None:
    """A page of another site whose name points at this address would read position and profit."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}{path}", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
            assert "telemetry.metrics_allowed_hosts" in await answer.text()
        async with session.get(f"{url}{path}", headers={"Host": "localhost"}) as answer:
            assert answer.status in (200, 503)


async def test_the_document_names_each_metric_its_type_and_its_labels(url: str) -> None:
    """docs/metrics.md has the metrics of the page, and no others; each has the label symbol besides its own."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    page = {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in families
        # prometheus_client writes one beside each histogram.
        if not family.name.endswith("_created")
    }
    section = METRICS_PAGE.read_text().partition("\n## The market maker")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`market_maker_.*?) \| ([\w, ]+) \|([^|]*)\|", section, re.MULTILINE)
    documented = {
        name: (kinds, set(re.findall(r"`(\w+)`", labels)))
        for names, kinds, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    assert documented.keys() == page.keys()
    for name, (kinds, labels) in documented.items():
        assert page[name].type in kinds, name
        seen = {label for sample in page[name].samples for label in sample.labels} - {"symbol", "le"}
        assert seen <= labels, name


async def test_metrics_have_the_names_that_people_know(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    assert [name for name in NAMES if f"\n{name}" not in text] == []


async def test_status_shows_the_ladder_with_numbers_as_text(url: str, exchange: InMemoryExchange) -> None:
    exchange.set_price(SYMBOL, Decimal("1999.00"), Decimal("1999.01"))

    async def filled() -> dict[str, object] | None:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/status") as answer:
            told: dict[str, object] = await answer.json()
            return told if told["fills"] else None

    told = await eventually(filled)
    assert (told["anchor"], told["interval"], told["position"]) == ("2000.01", "1", "0.015")
    slots = told["slots"]
    assert isinstance(slots, list)
    assert {slot["position"] for slot in slots} == {"EMPTY", "FILLED"}


async def test_before_the_grid_runs_health_says_that_it_connects() -> None:
    server = await started(Endpoints())
    assert (await health(f"http://{server.address}"))[0] == 503
    await server.close()


async def test_an_interval_may_not_change_under_a_position(exchange: InMemoryExchange, tmp_path: Path) -> None:
    """A level's price follows from the interval: what is held would be offered at another price."""
    async with served(exchange, tmp_path, price_interval="1"):
        exchange.set_price(SYMBOL, Decimal("1998.50"), Decimal("1998.51"))
        await eventually(lambda: exchange.list_fills(SYMBOL, since_ms=0))
    with pytest.raises(ConfigError, match=r"the stored grid was built with trading\.price_interval 1"):
        async with served(exchange, tmp_path, price_interval="2"):
            pass


async def test_a_held_price_is_on_every_page_and_the_orders_stay(exchange: InMemoryExchange, tmp_path: Path) -> None:
    """F40: the asks are 3 % away and the mark price is not: no order is placed or cancelled until they are back."""
    exchange.set_mark_price(SYMBOL, Decimal("2000"))
    async with served(exchange, tmp_path) as url, aiohttp.ClientSession() as session:

        async def page(path: str) -> str:
            async with session.get(f"{url}{path}") as answer:
                return await answer.text()

        async def reference() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(await page("/status"))["reference"]
            return found

        async def shown(name: str, value: int) -> bool:
            return f'{name}{{symbol="{SYMBOL}"}} {value}.0' in await page("/metrics")

        async def unhealthy() -> bool:
            return "price held for" in await page("/health")

        before = {order.order_id for order in await exchange.get_open_orders(SYMBOL)}
        exchange.set_price(SYMBOL, Decimal("2000.00"), Decimal("2060.00"))
        await eventually(lambda: shown("market_maker_price_held", 1))
        await eventually(lambda: shown("market_maker_reference_price", 2000))
        held = await reference()
        assert held["held_reason"] == "the spread of 3 % is above max_spread (0.5 %)"
        assert held["held_since_ms"]
        await eventually(unhealthy)
        assert {order.order_id for order in await exchange.get_open_orders(SYMBOL)} == before
        exchange.set_price(SYMBOL, Decimal("2000.00"), Decimal("2000.01"))
        await eventually(lambda: shown("market_maker_price_held", 0))
        assert (await reference())["missing"] == ["trade"]
        assert json.loads(await page("/health"))["healthy"]
