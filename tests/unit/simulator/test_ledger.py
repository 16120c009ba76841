"""The ledger: what tests and the demo compare against."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from opensqt.model.order import Side
from opensqt.simulator.ledger import ledger, plain


def test_it_tells_every_order_and_fill_in_plain_text(venue):
    venue.buy("0.100", "44000.0", client_order_id="a1")
    venue.outside(Side.SELL, "0.04", "44000")
    account = ledger(venue.engine)["accounts"]["sim-key"]
    order, fill = account["orders"][0], account["fills"][0]
    assert (order["client_order_id"], order["price"], order["quantity"]) == ("a1", "44000", "0.1")
    assert (order["status"], order["filled_quantity"]) == ("PARTIALLY_FILLED", "0.04")
    assert (fill["order_id"], fill["price"], fill["quantity"], fill["fee"]) == (
        order["order_id"],
        "44000",
        "0.04",
        "0.352",
    )
    assert account["wallet_balance"] == "9999.648"


def test_it_is_plain_json_without_a_float(venue):
    venue.buy("0.1", "44000")
    venue.outside(Side.SELL, "0.04", "44000")

    def refuse(text: str) -> None:
        raise AssertionError(f"a float in the ledger: {text}")

    json.loads(json.dumps(ledger(venue.engine, statistics={"requests": {}})), parse_float=refuse)


def test_a_flat_position_is_an_explicit_zero(venue):
    position = ledger(venue.engine)["accounts"]["sim-key"]["positions"][0]
    assert (position["symbol"], position["quantity"], position["entry_price"]) == ("BTCUSDT", "0", "0")


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("1.500", "1.5"), ("0E-8", "0"), ("-0.0", "0"), ("1E-7", "0.0000001"), ("100", "100")],
)
def test_equal_numbers_read_equal(number, text):
    assert plain(Decimal(number)) == text
