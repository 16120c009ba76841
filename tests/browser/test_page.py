"""The page in a real Chromium, before a real live server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from opensqt.model.order import OrderRef, Side
from tests.support.chromium import launch
from tests.support.live_server import SYMBOL, buy, exchange_with_history, fetch, order, serve
from tests.support.wait import eventually

GREEN = "#2ebd85"


# One browser for the module, so one event loop for it too; each test has a context of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await launch(playwright)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page; anything that it complains about fails the test."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    opened = await context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if blames(line.type, line.text) else None)
    yield opened
    await context.close()
    assert complaints == []


def blames(kind: str, text: str) -> bool:
    """A server that is away is reported by the browser itself: no fault of the page."""
    return kind in ("error", "warning") and "ERR_CONNECTION" not in text and "WebSocket connection" not in text


async def state(page: Page, what: str) -> Any:
    return await page.evaluate(f"window.opensqt && window.opensqt.{what}")


async def see(page: Page, what: str, expected: Any) -> None:
    async def seen() -> bool:
        return bool(await state(page, what) == expected)

    await eventually(seen, what=f"{what} == {expected!r}")


async def painted(page: Page, colour: str) -> int:
    """How many pixels of the chart have that colour."""
    count: int = await page.evaluate(
        """(colour) => {
            const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
            let found = 0;
            for (const canvas of document.querySelectorAll("#chart canvas")) {
                if (!canvas.width || !canvas.height) continue;
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                for (let at = 0; at < data.length; at += 4) {
                    if (wanted.every((value, part) => data[at + part] === value)) found += 1;
                }
            }
            return found;
        }""",
        colour,
    )
    return count


async def test_the_page_draws_the_candles(page: Page):
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        await see(page, "bars", 100)
        await eventually(lambda: painted(page, GREEN), what="green candles")


async def test_a_second_page_gets_the_history_too(page: Page):
    async with serve(exchange_with_history()) as address:
        await page.goto(f"http://{address}/")
        await see(page, "bars", 100)
        second = await page.context.new_page()
        await second.goto(f"http://{address}/live")
        await see(second, "bars", 100)


async def test_an_order_is_a_line_in_the_colour_of_its_side_until_it_is_gone(page: Page):
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        await exchange.place_order(buy("2998.50", client_order_id="B1"))
        await exchange.place_order(order(Side.SELL, "3001.50", "0.020", client_order_id="S1"))
        # In any order: the second one may come a frame later.
        drawn = [["buy 0.010", 2998.5, "#2ebd85"], ["sell 0.020", 3001.5, "#f2545b"]]
        await see(page, "lines.map((line) => [line.title, line.price, line.color]).sort()", drawn)
        await exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id="B1"))
        await see(page, "lines.map((line) => line.price)", [3001.5])
        assert await page.locator("#orders tr").count() == 1


async def test_a_fill_is_marked_and_flashes_and_stands_in_the_table(page: Page):
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        await exchange.place_order(buy("2999.50", client_order_id="B1"))
        exchange.fill(OrderRef(symbol=SYMBOL, client_order_id="B1"), Decimal("0.010"))
        await see(page, "counted.flashes", 1)
        await see(page, "markers.map((mark) => [mark.shape, mark.price])", [["arrowUp", 2999.5]])
        assert await page.locator("#flash").get_attribute("class") == "bought"
        assert await page.locator("#trades tr").first.locator("td").nth(2).text_content() == "2,999.50"
        assert await page.locator("#side").text_content() == "Long 10x"


async def test_a_fill_makes_a_sound_unless_it_is_switched_off(page: Page):
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        button = page.locator("#sound")
        await button.click()
        await eventually(lambda: says(button, "Sound on"))
        await fill(exchange, "B1")
        await see(page, "counted.sounds", 1)
        await button.click()
        await fill(exchange, "B2")
        await see(page, "counted.flashes", 2)
        assert await state(page, "counted.sounds") == 1
        await page.reload()
        assert await button.text_content() == "Sound off"


async def test_a_reloaded_page_still_shows_the_fills(page: Page):
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await fill(exchange, "B1")
        await page.goto(f"http://{address}/")
        await see(page, "trades.length", 1)
        await see(page, "markers.length", 1)
        assert await state(page, "counted.flashes") == 0


async def test_the_page_comes_back_after_the_server_does(page: Page):
    first, second = exchange_with_history(), exchange_with_history()
    await second.place_order(buy("2998.50", client_order_id="NEW"))
    async with serve(first) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
    await see(page, "connection", "reconnecting")
    assert "No connection to the live server" in (await page.locator("#banner").text_content() or "")
    async with serve(second, port=int(address.split(":")[1])):
        await see(page, "connection", "connected")
        await see(page, "orders.map((order) => order.clientOrderId)", ["NEW"])
        assert await page.locator("#banner").is_hidden()


async def test_old_prices_are_marked_with_the_reason(page: Page):
    """F36: the page says that what it shows may be old."""
    exchange = exchange_with_history()
    async with serve(exchange, stale_after_seconds=1) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "stale")
        assert re.search(r"no price for \d+ s", await page.locator("#banner").text_content() or "")
        exchange.set_price(SYMBOL, Decimal("3000.90"), Decimal("3001.10"))
        await see(page, "connection", "connected")


async def test_a_server_that_falls_silent_is_noticed(page: Page):
    """F13: the socket stays open, nothing comes."""
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.route_web_socket(re.compile(r".*/ws"), mute_after_the_snapshot)
        await page.goto(f"http://{address}/")
        await see(page, "bars", 100)
        await see(page, "connection", "reconnecting")


async def test_the_profit_shown_is_the_fills_profit_after_fees(page: Page):
    """F36: to the cent."""
    exchange = exchange_with_history()
    async with serve(exchange) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        await fill(exchange, "B1", "2990.00", "1.000")
        await fill(exchange, "S1", "3010.00", "1.000", Side.SELL)
        fills = await exchange.list_fills(SYMBOL, since_ms=0)
        expected = sum((one.realized_pnl - one.fee for one in fills), Decimal(0))
        await eventually(lambda: says(page.locator("#realized"), f"+{expected:.2f}"))
        assert expected == Decimal("18.80")


async def test_the_page_names_tradingview_as_its_licence_asks(page: Page):
    async with serve(exchange_with_history()) as address:
        await page.goto(f"http://{address}/")
        await page.locator("a#tv-attr-logo").wait_for(timeout=60_000)
        assert await page.locator("footer a").get_attribute("href") == "https://www.tradingview.com/"


async def test_the_page_fits_a_phone(page: Page):
    await page.set_viewport_size({"width": 390, "height": 844})
    async with serve(exchange_with_history()) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_page_that_leaves_is_forgotten(page: Page):
    async with serve(exchange_with_history()) as address:
        await page.goto(f"http://{address}/")
        await see(page, "connection", "connected")
        await page.goto("about:blank")

        async def alone() -> bool:
            return "live_server_clients 0.0" in (await fetch(address, "/metrics")).text

        await eventually(alone)


async def fill(
    exchange: Any, client_order_id: str, price: str = "2999.50", quantity: str = "0.010", side: Side = Side.BUY
) -> None:
    await exchange.place_order(order(side, price, quantity, client_order_id=client_order_id))
    exchange.fill(OrderRef(symbol=SYMBOL, client_order_id=client_order_id), Decimal(quantity))


async def says(element: Any, words: str) -> bool:
    return bool(await element.text_content() == words)


def mute_after_the_snapshot(socket: Any) -> None:
    """Let the first messages through, then nothing, while the socket stays open."""
    server = socket.connect_to_server()
    passed = 0

    def pass_on(message: Any) -> None:
        nonlocal passed
        passed += 1
        if passed <= 10:
            socket.send(message)

    server.on_message(pass_on)
