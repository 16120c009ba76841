"""Fills and candles page by page through a real connector, and by RemoteExchange on its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import grpc
import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.market import Candle
from opensqt.model.order import OrderRef
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.wire import codec
from tests.service.connector_rig import Rig, Venue, place, reason_of, rig
from tests.service.scripted_connector import ScriptedConnector, connected

MINUTE = 60_000
FIRST_MS = 1_700_000_040_000


def candle(number: int) -> Candle:
    one = Decimal(1)
    at_ms = FIRST_MS + number * MINUTE
    prices = {"open": one, "high": one, "low": one, "close": one, "volume": one}
    return Candle(symbol="BTCUSDT", interval="1m", open_time_ms=at_ms, **prices)


@pytest.fixture
async def running() -> AsyncIterator[Rig]:
    async with rig() as running:
        yield running


async def trade(running: Rig, count: int) -> list[str]:
    """Have an order filled piece by piece; return the trade ids, oldest first."""
    await running.exchange.PlaceOrder(place("a", quantity="100", price="50"))
    for _ in range(count):
        running.venue.fill(OrderRef(symbol="BTCUSDT", client_order_id="a"), Decimal("0.001"))
    return [fill.trade_id for fill in await running.venue.list_fills("BTCUSDT", since_ms=0)]


def fills(**changes: Any) -> gateway_pb.ListFillsRequest:
    return gateway_pb.ListFillsRequest(symbol="BTCUSDT", **changes)


def klines(**changes: Any) -> pb.GetHistoricalKlinesRequest:
    given = {"symbol": "BTCUSDT", "interval": "1m", "start_time_ms": FIRST_MS, **changes}
    return pb.GetHistoricalKlinesRequest(**given)


async def test_fills_come_page_by_page_without_one_lost_or_doubled(running: Rig) -> None:
    traded = await trade(running, 25)
    found, token = [], ""
    while True:
        page = await running.gateway.ListFills(fills(page_size=10, page_token=token))
        found.append([fill.trade_id for fill in page.fills])
        token = page.next_page_token
        if not token:
            break
    assert [len(page) for page in found] == [10, 10, 5]
    assert [trade_id for page in found for trade_id in page] == traded


async def test_a_client_that_knows_no_pages_gets_all_fills_at_once(running: Rig) -> None:
    traded = await trade(running, 1500)
    answer = await running.gateway.ListFills(fills())
    assert [fill.trade_id for fill in answer.fills] == traded
    assert not answer.next_page_token


async def test_remote_exchange_reads_all_pages_of_fills(running: Rig) -> None:
    traded = await trade(running, 2500)
    async with RemoteExchange(RemoteSettings(base_url=running.connector.address)) as exchange:
        listed = await exchange.list_fills("BTCUSDT", since_ms=0)
    assert [fill.trade_id for fill in listed] == traded


async def test_a_token_outlives_the_connector_that_gave_it() -> None:
    venue = Venue()
    async with rig(venue) as running:
        traded = await trade(running, 5)
        first = await running.gateway.ListFills(fills(page_size=2))
    async with rig(venue) as again:
        rest = await again.gateway.ListFills(fills(page_size=10, page_token=first.next_page_token))
    assert [fill.trade_id for fill in (*first.fills, *rest.fills)] == traded


async def test_candles_of_a_range_come_page_by_page(running: Rig) -> None:
    running.venue.add_candles(candle(number) for number in range(7))
    found, token = [], ""
    while True:
        asked = klines(end_time_ms=FIRST_MS + 5 * MINUTE, page_size=3, page_token=token)
        page = await running.exchange.GetHistoricalKlines(asked)
        found.append([(kline.open_time_ms - FIRST_MS) // MINUTE for kline in page.klines])
        token = page.next_page_token
        if not token:
            break
    assert found == [[0, 1, 2], [3, 4, 5]]


async def test_remote_exchange_reads_a_range_longer_than_a_page(running: Rig) -> None:
    running.venue.add_candles(candle(number) for number in range(2500))
    async with RemoteExchange(RemoteSettings(base_url=running.connector.address)) as exchange:
        candles = await exchange.get_klines_between("BTCUSDT", "1m", start_ms=FIRST_MS, end_ms=FIRST_MS + 2499 * MINUTE)
    assert [one.open_time_ms for one in candles] == [FIRST_MS + number * MINUTE for number in range(2500)]


@pytest.mark.parametrize("end", [1500, 2000])
async def test_remote_exchange_reads_a_range_from_a_connector_that_knows_no_pages(end: int) -> None:
    connector = ScriptedConnector()
    pages = [range(1000), range(1000, min(end, 2000))]
    answers = [[codec.encode_candle(candle(number)) for number in page] for page in pages]
    connector.script("GetHistoricalKlines", *(pb.GetHistoricalKlinesResponse(klines=page) for page in answers))
    async with connected(connector) as exchange:
        candles = await exchange.get_klines_between(
            "BTCUSDT", "1m", start_ms=FIRST_MS, end_ms=FIRST_MS + (end - 1) * MINUTE
        )
    assert [one.open_time_ms for one in candles] == [FIRST_MS + number * MINUTE for number in range(end)]
    assert [one.limit for one in connector.received["GetHistoricalKlines"]] == [1000, 1000]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (fills(page_size=1001), "page_size 1001: expected 1 to 1000, or 0 for no pages"),
        (fills(page_size=-1), "page_size -1: expected 1 to 1000"),
        (fills(page_token="abc"), "page_size 0: expected 1 to 1000 where page_token is given"),
        (fills(page_size=1, page_token="abc"), "page_token 'abc': expected next_page_token of an earlier response"),
        (klines(page_size=1001), "page_size 1001: expected 1 to 1000"),
        (klines(page_token="abc"), "page_size 0: expected 1 to 1000 where page_token is given"),
        (klines(page_size=1, page_token="abc"), "page_token 'abc': expected next_page_token of an earlier response"),
        (
            pb.GetHistoricalKlinesRequest(symbol="BTCUSDT", interval="1m", page_size=1),
            "start_time_ms absent: expected the first open time with page_size",
        ),
    ],
)
async def test_a_bad_request_for_a_page_is_refused_by_field_value_and_what_was_expected(
    running: Rig, request_: Any, said: str
) -> None:
    method = running.gateway.ListFills if "since_ms" in request_.DESCRIPTOR.fields_by_name else None
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (method or running.exchange.GetHistoricalKlines)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "INVALID_REQUEST"
    assert said in (caught.value.details() or "")


async def test_the_token_of_fills_is_none_of_candles(running: Rig) -> None:
    await trade(running, 3)
    token = (await running.gateway.ListFills(fills(page_size=1))).next_page_token
    with pytest.raises(grpc.aio.AioRpcError, match=r"page_token .*: expected next_page_token"):
        await running.exchange.GetHistoricalKlines(klines(page_size=1, page_token=token))
