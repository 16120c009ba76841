"""What can go wrong on Binance alone: keys of streams that end, and codes that leave the outcome open."""

from __future__ import annotations

import pytest

from opensqt.model.errors import ExchangeError, OrderRejected, OutcomeUnknown, PostOnlyWouldCross
from opensqt.simulator.settings import ServerRules
from tests.chaos.adapter_rig import on_simulator
from tests.support import eventually


async def test_two_expiry_notices_bring_one_new_key_and_lose_no_fill() -> None:
    """F15: keys that live for seconds, and each end told twice."""
    async with on_simulator("binance", server=ServerRules(listen_key_life_ms=5_000), key_renewal_s=2) as rig:
        keys = rig.simulator.ledger()["statistics"]["requests"]["listen_key"]
        rig.fault(kind="expire_listen_key", copies=2)
        await rig.trade(4)
        await rig.agrees()
        opened = rig.simulator.ledger()["statistics"]["connections_opened"]["private"]
        assert opened == 2
        assert rig.simulator.ledger()["statistics"]["requests"]["listen_key"] - keys <= 2


async def test_a_renewal_that_is_refused_brings_a_new_key() -> None:
    """F15: -1125 on the keepalive."""
    async with on_simulator("binance", key_renewal_s=0.2) as rig:
        rig.fault(kind="refuse", on="listen_key", code="-1125")
        await eventually(lambda: rig.simulator.ledger()["statistics"]["connections_opened"]["private"] == 2)
        await rig.trade(2)
        await rig.agrees()


@pytest.mark.parametrize(("code", "error"), [("-5022", PostOnlyWouldCross), ("-1006", OutcomeUnknown)])
async def test_a_code_becomes_the_error_that_says_what_to_do(code: str, error: type[ExchangeError]) -> None:
    async with on_simulator("binance") as rig:
        rig.fault(kind="refuse", on="place_order", code=code)
        with pytest.raises(error):
            await rig.exchange.place_order(rig.request(price=await rig.far()))


@pytest.mark.parametrize("code", ["-4108", "-4140"])
async def test_a_symbol_that_trades_no_more_refuses_an_order_and_its_rules_are_asked_for(code: str) -> None:
    """Its delivery or its settling is a plain refusal of the order, no failure of the venue."""
    async with on_simulator("binance") as rig:
        asked = rig.simulator.ledger()["statistics"]["requests"]["market_data"]
        rig.fault(kind="refuse", on="place_order", code=code)
        with pytest.raises(OrderRejected) as refused:
            await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert (refused.value.venue_code, refused.value.symbol) == (code, "BTCUSDT")
        await eventually(lambda: rig.simulator.ledger()["statistics"]["requests"]["market_data"] > asked)
        assert rig.account["orders"] == []


@pytest.mark.parametrize("named", ["any", "needed", "unknown"])
async def test_a_silent_stream_is_noticed_and_replaced_by_one_that_speaks(named: str) -> None:
    """F6, F13: documents differ on whether the address has to name the events, and the wrong one is silent.

    The venue's response to an order is what the stream has to confirm: until it does, health fails.
    """
    server = ServerRules(user_stream_events=named)  # type: ignore[arg-type]
    async with on_simulator("binance", server=server, stale_after_s=1.0) as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        if named == "unknown":
            await eventually(lambda: not rig.exchange.health.ok("private_stream"))
        await eventually(lambda: rig.exchange.client.names_events is (named != "unknown"))
        await eventually(lambda: rig.exchange.health.ok("private_stream"))
        await rig.trade(2)
        await rig.agrees()
        channels = {channel.name: channel for channel in (await rig.exchange.get_status()).channels}
        assert channels["orders"].data_age_ms is not None, "the stream brought them"
        assert rig.orders[order.order_id].status.is_open


async def test_the_address_of_the_stream_names_every_event_that_is_read() -> None:
    async with on_simulator("binance") as rig:
        (url,) = [url for url in rig.exchange.client.clients if "listenKey=" in url]
        named = set(url.partition("&events=")[2].split("/"))
        assert named == {
            "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "listenKeyExpired",
        }  # fmt: skip
