"""The demo's comparison of store and ledger: it finds each way in which the two can differ."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.cli.summary import Comparison, StoredResult, compare, overlapping_orders
from opensqt.model.order import Fill, PositionSide, Side

OURS = {"B1": -1, "S1": -1, "B2": -2}


def order(name: str, status: str = "FILLED", created: int = 0, updated: int = 10) -> dict[str, Any]:
    return {
        "client_order_id": name,
        "symbol": "BTCUSDT",
        "status": status,
        "created_ms": created,
        "updated_ms": updated,
    }


def row(trade_id: str, name: str, side: str, price: str, pnl: str = "0") -> dict[str, Any]:
    return {
        "trade_id": trade_id,
        "client_order_id": name,
        "symbol": "BTCUSDT",
        "side": side,
        "price": price,
        "quantity": "0.002",
        "fee": "0.018",
        "realized_pnl": pnl,
    }


def fill(trade_id: str, name: str, side: Side, price: str, pnl: str = "0") -> Fill:
    return Fill(
        symbol="BTCUSDT",
        trade_id=trade_id,
        order_id="1",
        client_order_id=name,
        side=side,
        position_side=PositionSide.BOTH,
        price=Decimal(price),
        quantity=Decimal("0.002"),
        fee=Decimal("0.018"),
        fee_asset="USDT",
        is_maker=True,
        realized_pnl=Decimal(pnl),
    )


def account(**changes: Any) -> dict[str, Any]:
    return {
        "unrealized_pnl": "-0.1",
        "positions": [{"symbol": "BTCUSDT", "quantity": "0.002"}],
        "orders": [order("B1"), order("S1", created=10, updated=20), order("B2", created=5, updated=30)],
        "fills": [
            row("1", "B1", "BUY", "45000"),
            row("2", "S1", "SELL", "45020", "0.04"),
            row("3", "B2", "BUY", "44980"),
        ],
        "duplicate_client_order_ids": [],
        **changes,
    }


def stored_result(**changes: Any) -> StoredResult:
    return StoredResult(
        **{
            "fills": [
                fill("1", "B1", Side.BUY, "45000.0"),
                fill("2", "S1", Side.SELL, "45020", "0.04"),
                fill("3", "B2", Side.BUY, "44980"),
            ],
            "position": Decimal("0.002"),
            "live_orders": [],
            **changes,
        }
    )


def compared(ledger: dict[str, Any], store: StoredResult) -> Comparison:
    return compare(ledger, store, symbol="BTCUSDT", slots=OURS)


def test_equal_books_match_and_are_added_up() -> None:
    result = compared(account(), stored_result())
    assert result.matches
    assert result.summary == {
        "orders_placed": 3,
        "fills": 3,
        "volume": "270",
        "fees": "0.054",
        "realized_pnl": "0.04",
        "unrealized_pnl": "-0.1",
        "position": "0.002",
        "open_orders": 0,
        "duplicate_orders": 0,
        "missed_fills": 0,
        "ledger_matches": True,
    }


def test_a_fill_that_the_store_lacks_is_missed() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    result = compared(account(), stored_result(fills=stored_result().fills[:2]))
    assert (result.summary["missed_fills"], result.summary["ledger_matches"]) == (1, False)
    assert result.differences == ("fill 3 is in the ledger and not in the store",)


def test_a_fill_that_the_venue_never_made_is_a_difference() -> None:
    """F8: a fill counts once, however often it is reported."""
    invented = fill("9", "B1", Side.BUY, "1")
    result = compared(account(), stored_result(fills=[*stored_result().fills, invented]))
    assert (result.summary["missed_fills"], result.matches) == (0, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "45001"), ("fee", "0.019"), ("realized_pnl", "1"), ("side", "SELL"), ("quantity", "1")],
)
def test_a_fill_that_differs_in_one_field_is_reported(field: str, value: str) -> None:
    """F36: the profit that is shown is the account's."""
    fills = account()["fills"]
    fills[0] = {**fills[0], field: value}
    [difference] = compared(account(fills=fills), stored_result()).differences
    assert difference.startswith(f"fill 1: {field}: the ledger has {value}")


def test_another_position_is_a_difference() -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    [difference] = compared(account(), stored_result(position=Decimal("0.001"))).differences
    assert difference == "position: the ledger has 0.002, the store 0.001"


def test_an_order_left_open_on_one_side_only_is_a_difference() -> None:
    """F9: a restart neither loses nor doubles an order."""
    orders = [*account()["orders"], order("B3", "OPEN", 40, 40)]
    assert "B3 is open in the ledger" in compared(account(orders=orders), stored_result()).differences[0]
    assert "B3 is open in the store" in compared(account(), stored_result(live_orders=["B3"])).differences[0]


def test_an_id_that_the_venue_took_twice_is_a_duplicate() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    result = compared(account(duplicate_client_order_ids=["B1"]), stored_result())
    assert (result.summary["duplicate_orders"], result.matches) == (1, False)


def test_two_orders_live_in_one_slot_at_a_time_are_a_duplicate() -> None:
    """F9: a restart neither loses nor doubles an order."""
    ours = {"B1": -1, "B9": -1}
    assert overlapping_orders([order("B1", updated=10), order("B9", created=9)], ours) == ["B9"]
    assert overlapping_orders([order("B1", "OPEN"), order("B9", created=50)], ours) == ["B9"]
    assert overlapping_orders([order("B1", updated=10), order("B9", created=10)], ours) == []


def test_a_rejected_order_was_never_live() -> None:
    ours = {"B1": -1, "B9": -1}
    assert overlapping_orders([order("B1", "REJECTED", 0, 99), order("B9", created=9)], ours) == []


def test_a_trade_that_is_not_the_market_makers_is_a_difference() -> None:
    fills = [*account()["fills"], row("7", "web1", "BUY", "45000")]
    differences = compared(account(fills=fills), stored_result()).differences
    assert differences == ("fill 7 belongs to no order of the market maker",)


def test_another_symbol_does_not_count() -> None:
    ledger = account(orders=[*account()["orders"], {**order("x"), "symbol": "ETHUSDT"}])
    assert compared(ledger, stored_result()).summary["orders_placed"] == 3
