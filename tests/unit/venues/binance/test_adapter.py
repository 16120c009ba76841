"""Binance's refusals over its whole adapter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import OrderRejected
from opensqt.model.order import OrderRequest, Side
from opensqt.venues.binance.adapter import BinanceAdapter


class Refusing:
    """The venue: refuses every order of a batch for one reason."""

    def __init__(self, code: int) -> None:
        self.code = code

    async def send(self, *_: Any, **__: Any) -> Any:
        return [{"code": self.code, "msg": "refused"}]


@pytest.mark.parametrize("code", [-4108, -4140, -4192, -4411, -4509, -5041])
async def test_a_plain_refusal_is_a_rejected_order(code: int) -> None:
    """Nothing was placed, and the order can be changed or left: it is no failure of the venue."""
    venue = BinanceAdapter(VenueSettings(name="binance"), None, Refusing(code))
    venue.market_id = lambda symbol: symbol  # type: ignore[method-assign]
    request = OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), price=Decimal(1), client_order_id="mine1"
    )
    (refused,) = await venue.place_batch([request])
    assert isinstance(refused, OrderRejected)
    assert refused.venue_code == str(code)
