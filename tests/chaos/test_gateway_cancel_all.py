"""The kill switch sees the orders that are on their way: nothing is open or in flight once it says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from opensqt.venues.factory import VENUES
from tests.chaos.gateway_rig import SYMBOL, Gateway, far, gateway, request
from tests.support import eventually
from tests.support.each import small

BEFORE_AND_AFTER = pytest.mark.parametrize("before", [True, False], ids=["before acceptance", "after acceptance"])


def placings(made: Gateway) -> int:
    """How many orders the venue was asked to place."""
    return int(made.simulator.ledger()["statistics"]["requests"].get("place_order", 0))


async def place_and_go(made: Gateway, *, gone_after_s: float) -> None:
    """Place an order as a client that is gone before it is answered."""
    async with made.client(name="gone") as exchange:
        placing = asyncio.create_task(exchange.place_order(request(price=await far(exchange))))
        await eventually(lambda: placings(made))
        await asyncio.sleep(gone_after_s)
        placing.cancel()
        await asyncio.wait({placing})


@BEFORE_AND_AFTER
@pytest.mark.parametrize("venue", small(sorted(VENUES), "binance", "okx"))
async def test_an_order_on_its_way_does_not_outlive_cancel_all(venue: str, tmp_path: Path, before: bool) -> None:
    """F39: the venue takes 4 s for the order, and its client has gone; cancel-all waits for it and cancels it.

    At test size for a venue with a request that cancels all and one without: test_cancels.py has each adapter's part.
    """
    async with gateway(venue, tmp_path) as made, made.client(name="switch") as switch:
        made.fault(kind="delay", on="place_order", delay_ms=4_000, before=before)
        await place_and_go(made, gone_after_s=1.5)
        canceled = await switch.cancel_all_orders(SYMBOL)
        assert made.open_ids == set()
        assert len(canceled) == len(made.account["orders"]) == 1
