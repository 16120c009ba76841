"""Work in a thread whose requests are sent by the event loop that started it."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from opensqt.venues.transport.in_thread import in_thread, run_in_thread, send_from_first_loop
from tests.support import eventually
from tests.unit.venues.test_open_orders import connected


async def test_requests_are_sent_by_the_loop_and_the_rest_runs_in_the_thread() -> None:
    first, loop = threading.get_ident(), asyncio.get_running_loop()
    seen: list[bool] = []

    async def request() -> int:
        seen.append(threading.get_ident() == first and asyncio.get_running_loop() is loop and not in_thread())
        return 7

    async def work() -> list[int]:
        assert in_thread()
        assert threading.get_ident() != first
        return list(await asyncio.gather(*(send_from_first_loop(request) for _ in range(3))))

    assert await run_in_thread(work) == [7, 7, 7]
    assert seen == [True, True, True]
    assert not in_thread()


async def test_an_error_of_a_request_reaches_the_caller_through_the_thread() -> None:
    async def request() -> None:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        await run_in_thread(lambda: send_from_first_loop(request))


async def test_a_cancel_ends_the_request_and_the_thread() -> None:
    """A connector that stops while it loads the rules waits for no thread."""
    sent, ended = asyncio.Event(), threading.Event()

    async def request() -> None:
        sent.set()
        await asyncio.Event().wait()

    async def work() -> None:
        try:
            await send_from_first_loop(request)
        finally:
            ended.set()

    task = asyncio.create_task(run_in_thread(work))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(ended.is_set)
    with pytest.raises(RuntimeError, match="expected a thread"):
        await send_from_first_loop(request)


async def test_the_rules_are_read_in_a_thread_and_their_requests_are_counted() -> None:
    """The event loop goes on while hundreds of symbols are read."""
    symbol = {
        "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "BTC",
        "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3, "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "1", "maxPrice": "100000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
        ],
    }  # fmt: skip
    venue = connected("binance", [(200, json.dumps({"symbols": [symbol], "rateLimits": []}))])
    venue.client.has["fetchCurrencies"] = False
    threads: dict[str, int] = {}
    parse_rules, fetch = venue.parse_rules, venue.client.fetch

    def parse(market: dict[str, Any]) -> Any:
        threads["rules"] = threading.get_ident()
        return parse_rules(market)

    async def send(*arguments: Any, **more: Any) -> Any:
        threads["request"] = threading.get_ident()
        return await fetch(*arguments, **more)

    venue.parse_rules, venue.client.fetch = parse, send  # type: ignore[method-assign]
    await venue.load_rules()
    assert list(venue.rules) == ["BTCUSDT"]
    assert threads["request"] == threading.get_ident() != threads["rules"]
    assert venue.client.venue_metrics.requests["query"].count == 1
