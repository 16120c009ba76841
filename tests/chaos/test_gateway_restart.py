"""Through the whole gateway, with the connector killed in the middle: clients, connector process, adapter, ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.model.order import OrderRef, OrderStatus
from opensqt.venues.factory import VENUES
from tests.chaos.gateway_rig import SYMBOL, far, gateway, request
from tests.support.each import small


@pytest.mark.parametrize("venue", small(sorted(VENUES), "binance", "bybit"))
async def test_an_order_survives_its_connector_and_is_not_sent_again(venue: str, tmp_path: Path) -> None:
    """F1: placed, connector killed, placed again under the same id: the first outcome, and one order.

    At test size for two venues: test_orders.py shows for each that an order is found by its id.
    """
    async with gateway(venue, tmp_path) as made, made.client() as exchange:
        asked = request(price=await far(exchange))
        first = await exchange.place_order(asked)
        await made.restart()
        again = await exchange.place_order(asked)
        assert (again.order_id, again.status) == (first.order_id, OrderStatus.OPEN)
        assert made.open_ids == {asked.client_order_id}
        await exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id=asked.client_order_id))
        assert made.account["duplicate_client_order_ids"] == []


async def test_an_order_whose_id_the_venue_forgot_is_found_by_the_venues_own(tmp_path: Path) -> None:
    """F3: Gate knows an order that ended without a fill for a minute by the client's id, for ten by its own."""
    async with gateway("gate", tmp_path, clock="manual") as made, made.client() as exchange:
        asked = request(price=await far(exchange))
        placed = await exchange.place_order(asked)
        by_client_id = OrderRef(symbol=SYMBOL, client_order_id=asked.client_order_id)
        await exchange.cancel_order(by_client_id)
        # What is known of an order is written with the next intent, so that its answer does not wait for the disk.
        await exchange.place_order(request(price=await far(exchange)))
        await made.simulator.advance(120_000)
        await made.restart()
        both = OrderRef(symbol=SYMBOL, client_order_id=asked.client_order_id, order_id=placed.order_id)
        assert (await exchange.get_order(both)).status is OrderStatus.CANCELED
        await exchange.place_order(request(price=await far(exchange)))
        await made.restart()
        assert (await exchange.get_order(by_client_id)).status is OrderStatus.CANCELED
