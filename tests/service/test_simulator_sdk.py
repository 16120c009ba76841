"""The venues' own SDKs, unmodified, trade on the simulator: one body per behaviour over the table of SDKs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from opensqt.simulator import Simulator
from tests.service.sdk_binance import Binance
from tests.service.sdk_bybit import Bybit
from tests.service.sdk_client import Answer, Sdk, heard_from
from tests.service.sdk_gate import Gate
from tests.service.sdk_okx import Okx
from tests.service.sdk_venues import VENUES, SdkVenue
from tests.service.venue_clients import below

pytestmark = [
    # How OKX's SDK uses its HTTP library, and the clock.
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
STREAMS = [venue for venue in VENUES if venue.streams]
BY_NAME = {venue.name: venue for venue in VENUES}


def each(venues: list[SdkVenue]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("venue", venues, ids=lambda venue: venue.name)


def only(name: str) -> pytest.MarkDecorator:
    return each([BY_NAME[name]])


def shown(answer: Answer, expected: Answer) -> Answer:
    """That part of an answer that is expected in it."""
    return {key: answer[key] for key in expected}


@pytest.fixture(params=VENUES, ids=lambda venue: venue.name)
def venue(request: pytest.FixtureRequest) -> SdkVenue:
    return request.param


@pytest.fixture
async def simulator(venue: SdkVenue) -> AsyncIterator[Simulator]:
    async with venue.simulator() as simulator:
        yield simulator


@pytest.fixture
async def sdk(venue: SdkVenue, simulator: Simulator) -> AsyncIterator[Any]:
    sdk = venue.sdk(simulator)
    yield sdk
    sdk.close()


async def test_an_order_is_placed_queried_listed_and_canceled(venue: SdkVenue, sdk: Sdk, simulator: Simulator) -> None:
    placed = await sdk.place(below(simulator), name="sdk1")
    assert shown(placed, venue.placed) == venue.placed
    order_id = placed[venue.order_id]
    assert shown(await sdk.find(order_id), venue.found) == venue.found
    assert [order[venue.order_id] for order in await sdk.open_orders()] == [order_id]
    canceled = await sdk.cancel("sdk1")
    assert canceled[venue.order_id] == order_id
    assert shown(canceled, venue.canceled) == venue.canceled
    assert shown(await sdk.closed(order_id), venue.closed) == venue.closed
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_with_a_bad_order_is_placed_and_canceled(venue: SdkVenue, sdk: Sdk, simulator: Simulator) -> None:
    rows = await sdk.place_batch(below(simulator))
    assert [shown(row, expected) for row, expected in zip(rows, venue.batch, strict=True)] == list(venue.batch)
    assert len(simulator.engine.open_orders("sim-key")) == 2
    canceled = await sdk.cancel_batch([rows[0][venue.order_id], rows[2][venue.order_id]])
    assert [shown(row, venue.batch_canceled) for row in canceled] == [venue.batch_canceled] * 2
    assert simulator.engine.open_orders("sim-key") == []


async def test_the_account_is_read(venue: SdkVenue, sdk: Sdk) -> None:
    assert shown(await sdk.account(), venue.account) == venue.account


async def test_the_market_is_read(venue: SdkVenue, sdk: Sdk) -> None:
    assert len(await sdk.candles(7)) == 7
    assert await sdk.symbols() == set(venue.symbols)


async def test_a_position_is_made_and_read_with_its_fills(venue: SdkVenue, sdk: Sdk) -> None:
    assert shown(await sdk.set_leverage(), venue.leverage) == venue.leverage
    sold = await sdk.place(side="sell")
    assert shown(sold, venue.bought) == venue.bought
    (position,) = await sdk.positions()
    assert shown(position, venue.position) == venue.position
    fills = await sdk.fills()
    assert sum(float(fill[venue.fill_quantity]) for fill in fills) == pytest.approx(venue.sold)


async def test_a_refusal_carries_the_venues_code(venue: SdkVenue, sdk: Sdk) -> None:
    with pytest.raises(sdk.refused) as refused:
        await sdk.cancel_unknown()
    assert sdk.refusal(refused.value) == venue.unknown_order


async def test_a_wrong_secret_is_refused(venue: SdkVenue, simulator: Simulator) -> None:
    stranger = venue.sdk(simulator, secret="another")
    with pytest.raises(stranger.refused) as refused:
        await stranger.account()
    stranger.close()
    assert stranger.refusal(refused.value) == venue.wrong_secret


@each(STREAMS)
async def test_the_fill_arrives_over_the_private_stream(venue: SdkVenue, sdk: Any) -> None:
    async with sdk.own_orders() as next_rows:
        bought = await sdk.place()
        rows: list[Answer] = []
        while not rows or shown(rows[-1], venue.filled) != venue.filled:
            rows += await next_rows()
    assert {str(row[venue.stream_order_id]) for row in rows} == {str(bought[venue.order_id])}


@each(STREAMS)
async def test_a_market_stream_is_heard(venue: SdkVenue, sdk: Any) -> None:
    async with sdk.quotes() as next_quote:
        quote = await next_quote()
    assert shown(quote, venue.quote) == venue.quote
    assert float(quote["bid"]) < float(quote["ask"])


@only("binance")
async def test_binance_tells_the_mode_and_no_flat_position(venue: SdkVenue, sdk: Binance) -> None:
    assert (await sdk.call("get_position_mode"))["dualSidePosition"] is False
    assert await sdk.positions() == []


@only("bybit")
async def test_bybit_tells_the_rights_of_the_key(venue: SdkVenue, sdk: Bybit) -> None:
    assert (await sdk.call("get_api_key_information"))["permissions"]["ContractTrade"] == ["Order", "Position"]


@only("bybit")
async def test_bybit_sends_order_fill_and_position_over_one_stream(venue: SdkVenue, sdk: Bybit) -> None:
    async with sdk.listening("private") as (stream, heard):
        await sdk.subscribe(stream, heard, "order_stream", "execution_stream", "position_stream")
        bought = await sdk.place()
        last: dict[str, Answer] = {}
        while {"order", "execution", "position"} - last.keys():
            frame = await heard_from(heard)
            last[frame["topic"]] = frame["data"][-1]
    assert (last["order"]["orderId"], last["order"]["orderStatus"]) == (bought["orderId"], "Filled")
    assert (last["execution"]["orderId"], last["execution"]["execType"]) == (bought["orderId"], "Trade")
    assert (last["position"]["side"], last["position"]["size"]) == ("Buy", "0.010")


@only("bybit")
async def test_bybit_s_sdk_keeps_a_book_from_differences(venue: SdkVenue, sdk: Bybit) -> None:
    async with sdk.listening("linear") as (stream, heard):
        await sdk.subscribe(stream, heard, "orderbook_stream", depth=50, symbol="BTCUSDT")
        frames = [await heard_from(heard) for _ in range(3)]
    assert all(frame["topic"] == "orderbook.50.BTCUSDT" for frame in frames)
    for book in (frame["data"] for frame in frames):
        bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("b", "a"))
        assert max(bids) < min(asks)
        assert all(Decimal(size) > 0 for side in ("b", "a") for _, size in book[side])


@only("gate")
async def test_gate_tells_an_unknown_order_of_a_batch_apart(venue: SdkVenue, sdk: Gate, simulator: Simulator) -> None:
    placed = await sdk.place(below(simulator))
    assert [row["succeeded"] for row in await sdk.cancel_batch([placed["id"], 1])] == [True, False]


@only("gate")
async def test_gate_s_trades_and_account_book_agree(venue: SdkVenue, sdk: Gate) -> None:
    bought = await sdk.place()
    position = await sdk.call("get_position", "usdt", "BTC_USDT")
    assert (position.size, position.mode, position.leverage) == ("10", "single", "0")
    trades = await sdk.fills()
    assert {trade["order_id"] for trade in trades} == {str(bought["id"])}
    timed = await sdk.call("get_my_trades_with_time_range", "usdt", contract="BTC_USDT")
    assert [trade.trade_id for trade in timed] == [str(trade["id"]) for trade in trades]
    book = await sdk.call("list_futures_account_book", "usdt", type="fee")
    assert len(book) == len(trades)
    assert book[0].balance == (await sdk.account())["total"]


@only("gate")
async def test_gate_tells_hedge_mode_fees_and_rights(venue: SdkVenue, sdk: Gate) -> None:
    assert (await sdk.call("set_position_mode", "usdt", "dual")).in_dual_mode is True
    assert len(await sdk.call("get_dual_mode_position", "usdt", "BTC_USDT")) == 2
    assert (await sdk.call("get_futures_fee", "usdt"))["BTC_USDT"].maker_fee == "0.0002"
    key = await sdk.call("get_account_main_keys")
    assert {right.name: right.read_only for right in key.perms} == {"futures": False, "account": True, "wallet": True}


@only("gate")
async def test_gate_tells_a_contract_and_its_book(venue: SdkVenue, sdk: Gate) -> None:
    assert (await sdk.call("get_futures_contract", "usdt", "ETH_USDT")).quanto_multiplier == "0.001"
    book = await sdk.call("list_futures_order_book", "usdt", "BTC_USDT", limit=5)
    assert float(book.bids[0].p) < float(book.asks[0].p)


@only("okx")
async def test_okx_tells_the_mode(venue: SdkVenue, sdk: Okx) -> None:
    (config,) = await sdk.rows("get_account_config")
    assert config["posMode"] == "net_mode"
