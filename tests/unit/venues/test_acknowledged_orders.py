"""The acknowledgement of an order whose id can't be used: its outcome is unknown, and no other order is lost by it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import OutcomeUnknown
from opensqt.model.order import Order, OrderRequest, Side
from opensqt.venues.okx.adapter import OkxAdapter
from opensqt.venues.parsing import acknowledged_order
from opensqt.venues.rows import RowError
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_rows import client

BAD_IDS: list[Any] = [None, "", [], {}, True, -1.5, 1.5]


def request(name: str) -> OrderRequest:
    return OrderRequest(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), price=Decimal(100), client_order_id=name)


@pytest.mark.parametrize("order_id", BAD_IDS, ids=repr)
def test_an_order_is_not_taken_in_under_an_id_that_is_none(order_id: Any) -> None:
    """F25, F44: every later cancel of all orders of its symbol failed, until a restart."""
    with pytest.raises(RowError, match="id of the order"):
        acknowledged_order(request("a"), order_id, 1)


def test_an_id_that_is_a_number_is_a_text() -> None:
    assert acknowledged_order(request("a"), 7, 1).order_id == "7"


class Rest:
    """Answers each request with the same response."""

    def __init__(self, response: dict[str, Any]) -> None:
        self._response = response

    async def send(self, *_arguments: Any, **_more: Any) -> dict[str, Any]:
        return self._response

    async def call(self, *_arguments: Any, **_more: Any) -> dict[str, Any]:
        return self._response


@pytest.mark.parametrize(
    "bad",
    [*({"ordId": one, "sCode": "0"} for one in BAD_IDS), {"sCode": "0"}, {"ordId": "7"}, {}, None, "text", [1]],
    ids=repr,
)
async def test_a_bad_row_of_okxs_batch_leaves_only_its_own_order_unknown(bad: Any) -> None:
    """F25, F44: the rows are in the order of the orders."""
    good = {"ordId": "12", "clOrdId": "b", "sCode": "0", "sMsg": "", "ts": "1"}
    venue = OkxAdapter(VenueSettings(name="okx"), client("okx"), Rest({"code": "2", "data": [bad, good]}))
    venue.rules = {"BTCUSDT": okx.rules()}
    venue.market_id = lambda symbol: "BTC-USDT-SWAP"  # type: ignore[method-assign]
    first, second = await venue.place_batch([request("a"), request("b")])
    assert isinstance(first, OutcomeUnknown)
    assert isinstance(second, Order)
    assert (second.client_order_id, second.order_id) == ("b", "12")
