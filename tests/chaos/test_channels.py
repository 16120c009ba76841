"""One channel alone goes wrong while the others are well: it is noticed, and what it hid is found by asking."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import OrderType, Side
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig
from tests.support import eventually


@pytest.mark.parametrize("channel", ["orders", "positions", "account"])
async def test_a_private_channel_that_stalls_alone_hides_nothing(adapter: Adapter, channel: str) -> None:
    """F13: the others go on and pings are answered; queries tell what this one does not."""
    async with adapter(stale_after_s=0.5) as rig:
        rig.fault(kind="mute", channel=channel, for_ms=60_000)
        await rig.trade(3)
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
        await rig.agrees()
        await eventually(lambda: _balance(rig) == Decimal(rig.account["wallet_balance"]), what="the balance")


async def test_a_mute_candle_stream_is_noticed_while_the_market_moves(adapter: Adapter) -> None:
    """F13: readiness is lost while candles stall and prices do not, and comes back with them."""
    async with adapter(still=False, stale_after_s=0.5) as rig:
        name = f"market_data:kline:{SYMBOL}:1m"
        candles, prices = rig.exchange.subscribe_klines(SYMBOL, "1m"), rig.exchange.subscribe_price(SYMBOL)
        await anext(candles)
        await anext(prices)
        rig.fault(kind="mute", channel="kline", for_ms=2_500)
        await eventually(lambda: not _ok(rig, name))
        await eventually(lambda: _ok(rig, name))


@pytest.mark.parametrize("channel", ["price", "kline"])
@pytest.mark.parametrize("kind", ["unknown_field", "malformed"])
async def test_bad_market_frames_do_not_stop_their_stream(adapter: Adapter, channel: str, kind: str) -> None:
    """F25: set aside or passed over, and the next good frame is told."""
    async with adapter(still=False) as rig:
        open_stream: dict[str, Callable[[], Any]] = {
            "price": lambda: rig.exchange.subscribe_price(SYMBOL),
            "kline": lambda: rig.exchange.subscribe_klines(SYMBOL, "1m"),
        }
        stream = open_stream[channel]()
        await anext(stream)
        rig.fault(kind=kind, channel=channel, times=3)
        await eventually(lambda: not rig.simulator.faults.listing()[0]["active"])
        for _ in range(3):
            batch = await anext(stream)
            assert {update.symbol for update in batch.updates} == {SYMBOL}
        assert rig.simulator.ledger()["statistics"]["connections_opened"]["market"] == 1
        metrics = rig.exchange.venue_metrics
        counters = (metrics.malformed_frames, metrics.unreadable_rows, metrics.unhandled_events)
        noted = any(counter.total() for counter in counters)
        assert noted or kind == "unknown_field"


def _balance(rig: Rig) -> Decimal | None:
    (account,) = rig.exchange.subscribe_account().entries.feed.snapshot
    return account.wallet_balance


def _ok(rig: Rig, name: str) -> bool:
    return next(check.ok for check in rig.exchange.health.evaluate().checks if check.name == name)
