"""The demo's verdict: it can fail, in each way in which two books can differ."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.cli.summary import Comparison, Kept, compare, two_at_a_time
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


def kept(**changes: Any) -> Kept:
    return Kept(
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


def verdict(ledger: dict[str, Any], store: Kept) -> Comparison:
    return compare(ledger, store, symbol="BTCUSDT", slots=OURS)


def test_equal_books_match_and_are_added_up() -> None:
    result = verdict(account(), kept())
    assert result.matches
    assert result.figures == {
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
    result = verdict(account(), kept(fills=kept().fills[:2]))
    assert (result.figures["missed_fills"], result.figures["ledger_matches"]) == (1, False)
    assert result.differences == ("fill 3 is in the ledger and not in the store",)


def test_a_fill_that_the_venue_never_made_is_a_difference() -> None:
    """F8: a fill counts once, however often it is reported."""
    invented = fill("9", "B1", Side.BUY, "1")
    result = verdict(account(), kept(fills=[*kept().fills, invented]))
    assert (result.figures["missed_fills"], result.matches) == (0, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("price", "45001"), ("fee", "0.019"), ("realized_pnl", "1"), ("side", "SELL"), ("quantity", "1")],
)
def test_a_fill_that_differs_in_one_field_is_told(field: str, value: str) -> None:
    """F36: the profit that is shown is the account's."""
    fills = account()["fills"]
    fills[0] = {**fills[0], field: value}
    [told] = verdict(account(fills=fills), kept()).differences
    assert told.startswith(f"fill 1: {field}: the ledger has {value}")


def test_another_position_is_a_difference() -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    [told] = verdict(account(), kept(position=Decimal("0.001"))).differences
    assert told == "position: the ledger has 0.002, the store 0.001"


def test_an_order_left_open_on_one_side_only_is_a_difference() -> None:
    """F9: a restart neither loses nor doubles an order."""
    orders = [*account()["orders"], order("B3", "OPEN", 40, 40)]
    assert "B3 is open in the ledger" in verdict(account(orders=orders), kept()).differences[0]
    assert "B3 is open in the store" in verdict(account(), kept(live_orders=["B3"])).differences[0]


def test_an_id_that_the_venue_took_twice_is_a_duplicate() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    result = verdict(account(duplicate_client_order_ids=["B1"]), kept())
    assert (result.figures["duplicate_orders"], result.matches) == (1, False)


def test_two_orders_live_in_one_slot_at_a_time_are_a_duplicate() -> None:
    """F9: a restart neither loses nor doubles an order."""
    ours = {"B1": -1, "B9": -1}
    assert two_at_a_time([order("B1", updated=10), order("B9", created=9)], ours) == ["B9"]
    assert two_at_a_time([order("B1", "OPEN"), order("B9", created=50)], ours) == ["B9"]
    assert two_at_a_time([order("B1", updated=10), order("B9", created=10)], ours) == []


def test_a_rejected_order_was_never_live() -> None:
    ours = {"B1": -1, "B9": -1}
    assert two_at_a_time([order("B1", "REJECTED", 0, 99), order("B9", created=9)], ours) == []


def test_a_trade_that_is_not_the_market_makers_is_a_difference() -> None:
    fills = [*account()["fills"], row("7", "web1", "BUY", "45000")]
    assert verdict(account(fills=fills), kept()).differences == ("fill 7 is of no order of ours",)


def test_another_symbol_does_not_count() -> None:
    ledger = account(orders=[*account()["orders"], {**order("x"), "symbol": "ETHUSDT"}])
    assert verdict(ledger, kept()).figures["orders_placed"] == 3
