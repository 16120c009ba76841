"""Who a client is, told to everything that is done for it."""

from __future__ import annotations

from typing import Any

import pytest

from opensqt.model.client_context import current_client
from opensqt.model.market import Price
from opensqt.model.stream import Cursor, Stream
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.connector_rig import Venue, rig


@pytest.mark.parametrize(
    ("metadata", "known_as"),
    [((("x-client-name", "page-1"),), "page-1"), ((), "local"), ((("x-client-name", "no name"),), "local")],
)
async def test_without_tokens_a_client_is_who_it_says(metadata: Any, known_as: str) -> None:
    async with rig() as running:
        answer = await running.gateway.GetRateBudget(gateway_pb.GetRateBudgetRequest(), metadata=metadata)
    assert answer.client == known_as


async def test_a_shared_upstream_is_nobodys() -> None:
    class Remembering(Venue):
        asked_by = ""

        def subscribe_price(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[Price]:
            self.asked_by = f"<{current_client()}>"
            return super().subscribe_price(symbol, cursor=cursor)

    venue = Remembering()
    async with rig(venue) as running:
        stream = running.exchange.SubscribePrice(
            pb.SubscribePriceRequest(symbol="BTCUSDT"), metadata=(("x-client-name", "page"),)
        )
        assert await stream.read()
        stream.cancel()
    assert venue.asked_by == "<>"
