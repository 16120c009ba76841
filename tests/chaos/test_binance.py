"""What can go wrong on Binance alone: keys of streams that end, and codes that leave the outcome open."""

from __future__ import annotations

import pytest

from opensqt.model.errors import ExchangeError, OutcomeUnknown, PostOnlyWouldCross
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
