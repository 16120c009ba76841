"""Gate's own SDK, unmodified, trades on the simulator. It is synchronous, so it runs in threads."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from opensqt.simulator import Simulator
from tests.service.venue_clients import below, settings
from tests.support.blocking import in_thread

with warnings.catch_warnings():
    # Its sources hold escapes that Python warns of, and warnings are errors here.
    warnings.simplefilter("ignore", DeprecationWarning)
    import gate_api


class Sdk:
    """The SDK's client, its calls made in a thread."""

    def __init__(self, url: str, secret: str = "sim-secret") -> None:
        host = f"{url}/api/v4"
        self._client = gate_api.ApiClient(gate_api.Configuration(host=host, key="sim-key", secret=secret))
        self._apis = [gate_api.FuturesApi(self._client), gate_api.AccountApi(self._client)]

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        method = next(getattr(api, name) for api in self._apis if hasattr(api, name))
        return await in_thread(method, *arguments, **options)

    async def order(self, size: int, price: Any, **more: Any) -> Any:
        fields = {"contract": "BTC_USDT", "size": str(size), "price": str(price), **more}
        return await self.call("create_futures_order", "usdt", gate_api.FuturesOrder(**fields))

    def close(self) -> None:
        self._client.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(settings(exchange="gate", past_minutes=60)) as simulator:
        yield simulator


@pytest.fixture
async def sdk(simulator: Simulator) -> AsyncIterator[Sdk]:
    sdk = Sdk(simulator.url)
    yield sdk
    sdk.close()


async def test_an_order_is_placed_queried_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    placed = await sdk.order(10, below(simulator), tif="poc", text="t-sdk1")
    assert (placed.status, placed.text, placed.size, placed.left) == ("open", "t-sdk1", "10", "10")
    assert (await sdk.call("get_futures_order", "usdt", str(placed.id))).tif == "poc"
    (listed,) = await sdk.call("list_futures_orders", "usdt", "open", contract="BTC_USDT")
    assert listed.id == placed.id
    canceled = await sdk.call("cancel_futures_order", "usdt", "t-sdk1")
    assert (canceled.status, canceled.finish_as) == ("finished", "cancelled")
    assert simulator.engine.open_orders("sim-key") == []


async def test_a_batch_is_placed_and_canceled(sdk: Sdk, simulator: Simulator) -> None:
    prices = (below(simulator), "45000.05", below(simulator, 2000))
    orders = [gate_api.FuturesOrder(contract="BTC_USDT", size="10", price=str(price)) for price in prices]
    first, refused, third = await sdk.call("create_batch_futures_order", "usdt", orders)
    assert (first.succeeded, refused.label, third.succeeded) == (True, "INVALID_PARAM_VALUE", True)
    ids = [str(first.id), str(third.id), "1"]
    answers = await sdk.call("cancel_batch_future_orders", "usdt", ids)
    assert [answer.succeeded for answer in answers] == [True, True, False]


async def test_a_position_is_made_and_read(sdk: Sdk, simulator: Simulator) -> None:
    bought = await sdk.order(10, 0, tif="ioc")
    assert (bought.status, bought.finish_as, bought.left) == ("finished", "filled", "0")
    position = await sdk.call("get_position", "usdt", "BTC_USDT")
    assert (position.size, position.mode, position.leverage) == ("10", "single", "0")
    trades = await sdk.call("get_my_trades", "usdt", contract="BTC_USDT")
    assert {trade.order_id for trade in trades} == {str(bought.id)}
    timed = await sdk.call("get_my_trades_with_time_range", "usdt", contract="BTC_USDT")
    assert [trade.trade_id for trade in timed] == [str(trade.id) for trade in trades]
    book = await sdk.call("list_futures_account_book", "usdt", type="fee")
    assert len(book) == len(trades)
    account = await sdk.call("list_futures_accounts", "usdt")
    assert book[0].balance == account.total


async def test_settings_and_rights_are_read(sdk: Sdk) -> None:
    leveraged = await sdk.call("update_position_leverage", "usdt", "BTC_USDT", "0", cross_leverage_limit="5")
    assert leveraged.cross_leverage_limit == "5"
    assert (await sdk.call("set_position_mode", "usdt", "dual")).in_dual_mode is True
    assert len(await sdk.call("get_dual_mode_position", "usdt", "BTC_USDT")) == 2
    rates = await sdk.call("get_futures_fee", "usdt")
    assert rates["BTC_USDT"].maker_fee == "0.0002"
    key = await sdk.call("get_account_main_keys")
    assert {right.name: right.read_only for right in key.perms} == {"futures": False, "account": True, "wallet": True}


async def test_the_market_is_read(sdk: Sdk) -> None:
    assert len(await sdk.call("list_futures_candlesticks", "usdt", "BTC_USDT", interval="1m", limit=7)) == 7
    assert {row.contract for row in await sdk.call("list_futures_tickers", "usdt")} == {"BTC_USDT", "ETH_USDT"}
    assert (await sdk.call("get_futures_contract", "usdt", "ETH_USDT")).quanto_multiplier == "0.001"
    book = await sdk.call("list_futures_order_book", "usdt", "BTC_USDT", limit=5)
    assert float(book.bids[0].p) < float(book.asks[0].p)


async def test_a_refusal_raises_the_venues_label(sdk: Sdk) -> None:
    with pytest.raises(gate_api.exceptions.GateApiException) as refused:
        await sdk.call("cancel_futures_order", "usdt", "1")
    assert refused.value.label == "ORDER_NOT_FOUND"


async def test_a_wrong_secret_is_refused(simulator: Simulator) -> None:
    stranger = Sdk(simulator.url, secret="another")
    with pytest.raises(gate_api.exceptions.GateApiException) as refused:
        await stranger.call("list_futures_accounts", "usdt")
    stranger.close()
    assert (refused.value.status, refused.value.label) == (401, "INVALID_SIGNATURE")
