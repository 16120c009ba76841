"""Settings of the account that another program, or its owner on the venue's site, changes while the adapter runs."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

from opensqt.model.order import OrderType, Side
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig, on_simulator
from tests.support import eventually


def leverage(rig: Rig) -> Decimal | None:
    """The leverage of the position as clients read it."""
    (position,) = rig.exchange.subscribe_positions(SYMBOL).entries.feed.snapshot
    return position.leverage


async def test_a_changed_leverage_reaches_the_position_held_and_flat(adapter: Adapter) -> None:
    """By Binance's own message, and at the other four by the row of the position."""
    async with adapter() as rig:
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
        await rig.agrees()
        rig.simulator.engine.set_leverage("sim-key", SYMBOL, 7)
        await eventually(lambda: leverage(rig) == 7, what="the new leverage of the held position")
        await rig.exchange.place_order(rig.request(Side.SELL, order_type=OrderType.MARKET, reduce_only=True))
        await rig.agrees()
        assert leverage(rig) == 7
        (position,) = await rig.exchange.get_positions(SYMBOL)
        assert (position.is_flat, position.leverage) == (True, 7)


async def test_a_changed_leverage_of_a_flat_position_is_told_by_binances_message() -> None:
    """At once, though no row of a position comes with it: no comparison with the venue is due for long."""
    async with on_simulator("binance", reconcile_interval_s=60) as rig:
        rig.simulator.engine.set_leverage("sim-key", SYMBOL, 9)
        await eventually(lambda: leverage(rig) == 9, what="the new leverage")


async def test_a_switch_to_multi_assets_is_reported_and_the_balance_is_queried() -> None:
    """What is available, and what an order needs, change with it."""
    async with on_simulator("binance") as rig:
        before = rig.simulator.ledger()["statistics"]["requests"]["account"]
        socket = SimpleNamespace(url="wss://host/ws?listenKey=k")
        rig.exchange.client.callbacks.frame(socket, {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ai": {"j": True}})
        checks = {check.name: check for check in (await rig.exchange.get_status()).checks}
        assert checks["account_mode"].reason == "switched while this runs: multi-assets mode"
        await eventually(lambda: rig.simulator.ledger()["statistics"]["requests"]["account"] > before)
