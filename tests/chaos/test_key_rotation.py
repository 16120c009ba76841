"""A key is replaced while trading: proven first, then used for requests and for the stream, and no fill is lost."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import CredentialsRefused, PermissionDenied, Unreachable, Unsupported
from opensqt.model.order import Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.keys import ApiKey
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import LOT, UNLIMITED, Adapter, Rig, on_simulator, settings
from tests.support import eventually

SECOND = {"key": "canary-second-key", "secret": "canary-second-secret", "passphrase": "canary-second-pass"}


def grant(rig: Rig, **more: Any) -> VenueSettings:
    """Give the account a second key, and answer the settings that hold it."""
    rig.simulator.keys.add(ApiKey(**{**SECOND, "account": "sim-key", **more}))
    return second(rig.simulator)


def second(simulator: Simulator) -> VenueSettings:
    names = {"api_key": SECOND["key"], "secret": SECOND["secret"], "passphrase": SECOND["passphrase"]}
    return settings(simulator, **names)


async def test_trading_goes_on_with_the_new_key_when_the_old_one_is_revoked(adapter: Adapter) -> None:
    """F6, F33: fills of the moment of the change too; neither key in any log line."""
    with capture_logs() as logs:
        async with adapter() as rig:
            resting = await rig.exchange.place_order(rig.request(price=await rig.far()))
            await rig.trade(2)
            assert await rig.exchange.renew_credentials(grant(rig))
            await eventually(lambda: signed_in_with(rig) == {SECOND["key"]}, what="the new key's login")
            await rig.trade(2, between=lambda number: rig.simulator.keys.revoke("sim-key") if number == 0 else None)
            await rig.agrees()
            await eventually(lambda: healthy(rig), what="health")
            assert resting.order_id in {order["order_id"] for order in rig.account["orders"]}
            assert rig.gaps == 0
    assert not any(word in str(logs) for word in (*SECOND.values(), "sim-secret"))


def signed_in_with(rig: Rig) -> set[str]:
    return {socket.state["key"] for socket in rig.simulator.subscriptions.sockets if socket.state.get("key")}


async def healthy(rig: Rig) -> bool:
    return (await rig.exchange.get_status()).healthy


@pytest.mark.parametrize("venue", ["binance", "okx"])
async def test_a_key_that_comes_after_the_old_one_died_brings_trading_back(adapter: Adapter) -> None:
    """F31: not healthy without a key that works, healthy again with one."""
    async with adapter() as rig:
        await rig.trade(1)
        renewed = grant(rig)
        rig.simulator.keys.revoke("sim-key")
        await eventually(lambda: unhealthy(rig), what="the loss of the key")
        assert await rig.exchange.renew_credentials(renewed)
        await eventually(lambda: healthy(rig), what="health")
        await rig.trade(1)
        await rig.agrees()


async def unhealthy(rig: Rig) -> bool:
    return not await healthy(rig)


async def test_a_refused_key_leaves_the_old_one_in_use(adapter: Adapter) -> None:
    async with adapter() as rig:
        with pytest.raises(CredentialsRefused):
            await rig.exchange.renew_credentials(second(rig.simulator))
        await rig.trade(2)
        await rig.agrees()
        await eventually(lambda: healthy(rig), what="health")


@pytest.mark.parametrize("apart", ["balance", "an open order", "a trade between the two"])
async def test_a_key_of_another_account_is_refused(apart: str) -> None:
    balance = Decimal(5_000 if apart == "balance" else 10_000)
    accounts = (AccountSettings(), AccountSettings(**SECOND, balance=balance))
    async with Simulator(SimulatorSettings(port=0, past_minutes=20, accounts=accounts)) as simulator:
        for rules in simulator.engine.symbols():
            simulator.market.pause(rules.symbol)
        exchange = create_exchange(settings(simulator))
        assert isinstance(exchange, VenueAdapter)
        async with exchange:
            rig = Rig(simulator, exchange)
            if apart == "an open order":
                await exchange.place_order(rig.request(price=await rig.far()))
            elif apart == "a trade between the two":
                await exchange.place_order(rig.request(Side.SELL, price := await rig.front(Side.SELL)))
                async with create_exchange(second(simulator)) as other:
                    await other.place_order(rig.request(Side.BUY, price))
            with pytest.raises(CredentialsRefused, match="another account"):
                await exchange.renew_credentials(second(simulator))
            assert await exchange.place_order(rig.request(price=await rig.far(1)))


async def test_a_key_that_may_not_trade_is_refused(adapter: Adapter) -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    async with adapter() as rig:
        with pytest.raises(PermissionDenied):
            await rig.exchange.renew_credentials(grant(rig, may_trade=False))
        await rig.trade(1)
        await rig.agrees()


async def test_a_request_on_its_way_is_signed_again_when_its_key_was_replaced() -> None:
    """F1: an order that was signed with the old key and refused for it was not placed."""
    async with on_simulator("binance") as rig:
        price = await rig.front(Side.BUY)
        renewed = grant(rig)
        rig.fault(kind="delay", on="place_order", delay_ms=3_000, before=True)
        placing = asyncio.create_task(rig.exchange.place_order(rig.request(Side.BUY, price)))
        await eventually(lambda: rig.simulator.statistics.requests["place_order"] == 1)
        await rig.exchange.renew_credentials(renewed)
        rig.simulator.keys.revoke("sim-key")
        order = await placing
        assert order.quantity == LOT
        assert len(rig.account["orders"]) == 1
        await eventually(lambda: healthy(rig), what="health")


async def test_keys_change_again_and_again_while_orders_flow(adapter: Adapter, large: bool) -> None:
    """F1, F6: each key is revoked as soon as the next one is in use, whatever is on its way with it."""
    async with adapter(server=UNLIMITED) as rig:
        trading = asyncio.create_task(rig.trade(1_000_000))
        old = "sim-key"
        for number in range(20 if large else 2):
            key = ApiKey(key=f"key-{number}", secret=f"secret-{number}", passphrase="p", account="sim-key")
            rig.simulator.keys.add(key)
            wanted = settings(rig.simulator, api_key=key.key, secret=key.secret, passphrase=key.passphrase)
            assert await rig.exchange.renew_credentials(wanted)
            rig.simulator.keys.revoke(old)
            old, placed = key.key, len(rig.account["orders"])
            await eventually(lambda before=placed: len(rig.account["orders"]) > before + 5, what="orders")
            assert not trading.done(), trading.exception()
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
        await rig.agrees()
        assert rig.account["duplicate_client_order_ids"] == []


async def test_a_venue_that_is_away_leaves_the_old_key_in_use() -> None:
    async with on_simulator("binance", request_timeout_s=10) as rig:
        renewed = grant(rig)
        rig.fault(kind="unreachable", on="any", times=0)
        with pytest.raises(Unreachable):
            await rig.exchange.renew_credentials(renewed)
        rig.simulator.faults.clear()
        assert await rig.exchange.renew_credentials(renewed)


async def test_the_same_key_changes_nothing() -> None:
    async with on_simulator("okx") as rig:
        opened = rig.simulator.statistics.connections_opened["private"]
        assert not await rig.exchange.renew_credentials(settings(rig.simulator))
        assert rig.simulator.statistics.connections_opened["private"] == opened


async def test_a_key_of_another_venue_is_refused() -> None:
    async with on_simulator("binance") as rig:
        with pytest.raises(Unsupported, match="account on binance only"):
            await rig.exchange.renew_credentials(second(rig.simulator).model_copy(update={"name": "okx"}))
