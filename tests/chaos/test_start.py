"""What must be proven before the adapter serves, and what must never show up in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import (
    ConfigError,
    CredentialsRefused,
    ExchangeError,
    InvalidRequest,
    PositionModeMismatch,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRequest, OrderType, PositionSide, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings
from opensqt.telemetry import logging as telemetry
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import SYMBOL, Adapter, code_of, settings
from tests.support import eventually

CANARY_KEY = "canaryKey0123456789abcdef"
CANARY_SECRET = "canarySecret0123456789abcdef"


@asynccontextmanager
async def simulator(venue: str, *faults: dict[str, Any], **account: Any) -> AsyncIterator[Simulator]:
    accounts = (AccountSettings(**account),)
    simulated = Simulator(SimulatorSettings(exchange=venue, port=0, past_minutes=20, accounts=accounts))
    simulated.faults.add(*(Fault(**fault) for fault in faults))
    async with simulated:
        yield simulated


async def refused(simulated: Simulator, **more: Any) -> ExchangeError:
    exchange = create_exchange(settings(simulated, **more))
    with pytest.raises(ExchangeError) as raised:
        await exchange.start()
    return raised.value


@pytest.mark.parametrize("wrong", ["api_key", "secret"])
async def test_refused_credentials_say_what_to_look_at_and_not_what_they_are(venue: str, wrong: str) -> None:
    """F33: no secret shows in a log, an error or a page.
    F34: a key that can withdraw, or can't trade, is reported before the first order.
    """
    async with simulator(venue) as simulated:
        error = await refused(simulated, **{wrong: CANARY_SECRET})
        assert isinstance(error, CredentialsRefused)
        assert "API_KEY" in str(error)
        assert CANARY_SECRET not in str(error)


async def test_a_missing_key_is_told_before_anything_is_asked(venue: str) -> None:
    async with simulator(venue) as simulated:
        error = await refused(simulated, api_key="")
        assert isinstance(error, CredentialsRefused)
        assert simulated.ledger()["statistics"]["requests"] == {}


async def test_a_venue_that_is_not_there_is_unreachable(venue: str) -> None:
    async with simulator(venue) as simulated:
        reach = settings(simulated)
    with pytest.raises(Unreachable):
        await create_exchange(reach).start()


async def test_a_start_goes_on_though_another_has_used_most_of_the_limit() -> None:
    """F16: a connector that was killed in the middle of its minute is back without waiting for the next one."""
    async with simulator("binance") as simulated:
        async with aiohttp.ClientSession() as session:
            used = 0
            while used < 1_900:
                depth = f"{simulated.url}/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
                async with session.get(depth) as answer:
                    used = int(answer.headers["X-MBX-USED-WEIGHT-1M"])
        async with asyncio.timeout(15), create_exchange(settings(simulated)) as exchange:
            assert (await exchange.get_status()).healthy
        assert simulated.ledger()["statistics"]["http_429"] == 0


async def test_an_unknown_venue_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match=r"'binanze': unknown; expected one of .*binance"):
        create_exchange(VenueSettings(name="binanze"))


async def test_an_unknown_symbol_is_told_at_start(venue: str) -> None:
    async with simulator(venue) as simulated:
        assert isinstance(await refused(simulated, symbols=("NOSUCH",)), UnknownSymbol)


async def test_leverage_is_set_and_asked_back(adapter: Adapter) -> None:
    """F21: as asked for."""
    async with adapter(leverage={SYMBOL: 7}) as rig:
        (position,) = await rig.exchange.get_positions(SYMBOL)
        assert position.leverage == 7


async def test_leverage_that_the_venue_ignores_ends_the_start(venue: str) -> None:
    """F21: the answer says yes, the account says no."""
    async with simulator(venue, {"kind": "ignore", "on": "settings", "times": 0}) as simulated:
        error = await refused(simulated, leverage={SYMBOL: 7})
        assert isinstance(error, InvalidRequest)
        assert "leverage 7 for BTCUSDT" in str(error)


async def test_the_position_mode_is_switched_as_asked(adapter: Adapter) -> None:
    """F20: with nothing open it may be."""
    async with adapter(position_mode=PositionMode.HEDGE) as rig:
        assert (await rig.exchange.get_exchange_info()).position_mode is PositionMode.HEDGE


async def test_the_position_mode_is_never_switched_with_a_position_open(adapter: Adapter) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    async with adapter() as rig:
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
        error = await refused(rig.simulator, position_mode=PositionMode.HEDGE)
        assert isinstance(error, PositionModeMismatch)
        assert "close them first" in str(error)


async def test_an_order_for_the_other_mode_is_denied(adapter: Adapter) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    async with adapter() as rig:
        with pytest.raises(ExchangeError, match="position_side LONG: expected BOTH") as raised:
            await rig.exchange.place_order(rig.request(price=await rig.far(), position_side=PositionSide.LONG))
        assert raised.value.reason == "ORDER_DENIED"


async def test_public_only_needs_no_key_and_takes_no_order(venue: str) -> None:
    async with simulator(venue) as simulated:
        exchange = create_exchange(settings(simulated, api_key="", secret="", public_only=True))
        try:
            await exchange.start()
            assert (await exchange.get_latest_price(SYMBOL)).bid
            assert not (await exchange.get_exchange_info()).capabilities.trading
            with pytest.raises(Unsupported):
                await exchange.get_account()
        finally:
            await exchange.close()


async def test_orders_from_before_are_known_and_their_fills_do_not_count_again(adapter: Adapter) -> None:
    """F8, F9: a second start on an account with an order that is filled in part."""
    async with adapter() as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.front(Side.BUY)))
        rig.hit(Side.BUY, order.quantity / 3)
        await eventually(lambda: rig.told)
        exchange = create_exchange(settings(rig.simulator))
        await exchange.start()
        try:
            stream = exchange.subscribe_orders()
            (snapshot,) = (await anext(stream)).updates
            assert (snapshot.order.filled_quantity, snapshot.fill) == (order.quantity / 3, None)
            rig.hit(Side.BUY, order.quantity / 3)
            (update,) = (await anext(stream)).updates
            assert update.fill is not None
            assert update.fill.quantity == order.quantity / 3
        finally:
            await exchange.close()


@pytest.fixture
def debug_logs() -> None:
    """Log everything, as a process does."""
    telemetry.configure("DEBUG", service="canary", style="json")


@pytest.mark.usefixtures("debug_logs")
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "unreachable", "on": "any", "times": 0, "skip": 10},
        {"kind": "drop_reply", "on": "any", "times": 0, "skip": 10},
        {"kind": "error_after", "on": "any", "times": 0, "skip": 10},
        {"kind": "refuse", "on": "any", "times": 0, "skip": 10},
        {"kind": "refuse_connect", "channel": "any", "times": 0},
        {"kind": "delay", "on": "any", "delay_ms": 1_000, "times": 0, "skip": 10},
    ],
)
async def test_no_secret_and_no_signature_in_any_error(
    venue: str, fault: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """F33: a canary key and secret through every way that a request can fail, causes included."""
    words: list[str] = []
    async with simulator(venue, key=CANARY_KEY, secret=CANARY_SECRET) as simulated:
        exchange = create_exchange(settings(simulated, api_key=CANARY_KEY, secret=CANARY_SECRET, request_timeout_s=0.3))
        simulated.faults.add(Fault(**fault, code=code_of(venue, CredentialsRefused)))
        calls = (exchange.start, exchange.get_account, exchange.get_open_orders, lambda: _place(exchange))
        for call in calls:
            try:
                await call()
            except ExchangeError as error:
                words += [str(error), repr(error), repr(error.__cause__)]
        await exchange.close()
    captured = capfd.readouterr()
    everything = "\n".join([*words, captured.out, captured.err])
    assert words
    assert CANARY_KEY not in everything
    assert CANARY_SECRET not in everything
    assert "signature=" not in everything.replace("signature=***", "")


async def _place(exchange: Exchange) -> None:
    price = await exchange.get_latest_price(SYMBOL)
    await exchange.place_order(
        OrderRequest(
            symbol=SYMBOL,
            side=Side.BUY,
            quantity=Decimal("0.001"),
            price=price.bid - 100,
            client_order_id=client_order_id.new(),
        )
    )
