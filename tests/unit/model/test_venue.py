"""A symbol's rules: rounding never requests more, and each broken rule is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.order import OrderRequest, OrderType, PositionSide, Side
from opensqt.model.venue import Check, ExchangeStatus, SymbolRules

RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.002"),
    min_notional=Decimal(5),
    max_quantity=Decimal(100),
)
STEPS = st.sampled_from([Decimal("0.1"), Decimal("0.25"), Decimal("0.001"), Decimal(5), Decimal("0.00000001")])
AMOUNTS = st.decimals(min_value=Decimal("0.00000001"), max_value=10**9, places=8)


def rules(step: Decimal) -> SymbolRules:
    return SymbolRules(
        symbol="X",
        base_asset="X",
        quote_asset="USDT",
        price_step=step,
        quantity_step=step,
        min_quantity=step,
        min_notional=Decimal(0),
    )


@given(AMOUNTS, STEPS)
def test_a_rounded_quantity_is_on_the_step_and_never_more(quantity: Decimal, step: Decimal) -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    rounded = rules(step).round_quantity(quantity)
    assert rounded % step == 0
    assert 0 <= quantity - rounded < step


@given(AMOUNTS, STEPS)
def test_a_rounded_price_is_the_nearest_step(price: Decimal, step: Decimal) -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    rounded = rules(step).round_price(price)
    assert rounded % step == 0
    assert abs(rounded - price) <= step / 2


@given(AMOUNTS, STEPS)
def test_a_price_rounds_up_or_down_on_request(price: Decimal, step: Decimal) -> None:
    down, up = rules(step).round_price(price, up=False), rules(step).round_price(price, up=True)
    assert down <= price <= up
    assert up - down in (0, step)


def asked(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": Decimal("0.01"),
        "price": Decimal(45_000),
        "client_order_id": "a",
    }
    return OrderRequest(**(fields | changes))


@pytest.mark.parametrize(
    "closing",
    [
        {"reduce_only": True},
        {"position_side": PositionSide.SHORT},
        {"position_side": PositionSide.LONG, "side": Side.SELL},
    ],
)
def test_a_symbol_that_does_not_trade_takes_only_what_closes(closing: dict[str, Any]) -> None:
    """F43: what is held in a symbol that does not trade can be closed."""
    settling = replace(RULES, untradable_reason="SETTLING")
    assert not settling.tradable
    assert settling.denial(asked(**closing)) == ""
    for opening in ({}, {"position_side": PositionSide.LONG}):
        expected = "symbol BTCUSDT: does not trade (SETTLING): expected a reduce_only order"
        assert settling.denial(asked(**opening)) == expected


def test_an_order_within_the_rules_is_not_denied() -> None:
    assert RULES.denial(asked()) == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"quantity": Decimal(0)}, "quantity 0: expected above zero"),
        ({"quantity": Decimal(-1)}, "quantity -1: expected above zero"),
        ({"quantity": Decimal("0.0105")}, "quantity 0.0105: expected a multiple of 0.001"),
        ({"quantity": Decimal("0.001")}, "quantity 0.001: expected at least 0.002"),
        ({"quantity": Decimal(101)}, "quantity 101: expected at most 100"),
        ({"price": None}, "price None: expected above zero for a LIMIT order"),
        ({"price": Decimal(0)}, "price 0: expected above zero for a LIMIT order"),
        ({"price": Decimal("1.05")}, "price 1.05: expected a multiple of 0.1"),
        ({"price": Decimal(1), "order_type": OrderType.MARKET}, "price 1: expected none for a MARKET order"),
        ({"price": Decimal(100)}, "notional 1.00: expected at least 5 USDT"),
        ({"quantity": Decimal("NaN")}, "quantity NaN, price 45000: expected finite numbers"),
        ({"price": Decimal("Infinity")}, "quantity 0.01, price Infinity: expected finite numbers"),
    ],
)
def test_a_broken_rule_is_named(changes: dict[str, Any], expected: str) -> None:
    assert RULES.denial(asked(**changes)) == expected


def test_a_reduce_only_order_may_be_small() -> None:
    assert RULES.denial(asked(price=Decimal(100), reduce_only=True)) == ""


def test_a_market_order_is_valued_at_the_reference_price() -> None:
    market = asked(price=None, order_type=OrderType.MARKET)
    assert RULES.denial(market) == ""
    assert "notional 1.00" in RULES.denial(market, reference_price=Decimal(100))


def test_one_bad_check_makes_the_whole_unhealthy() -> None:
    good, bad = Check(name="venue", ok=True), Check(name="clock", ok=False)
    assert ExchangeStatus(checks=(good,)).healthy
    assert not ExchangeStatus(checks=(good, bad)).healthy


def test_a_market_order_has_limits_of_its_own() -> None:
    """F23: venues refuse a market order that a limit order of the same quantity would pass."""
    limited = replace(RULES, min_market_quantity=Decimal("0.010"), max_market_quantity=Decimal(10))
    market = asked(order_type=OrderType.MARKET, price=None)
    assert limited.denial(replace(market, quantity=Decimal(11))) == "quantity 11: expected at most 10"
    assert limited.denial(replace(market, quantity=Decimal("0.009"))) == "quantity 0.009: expected at least 0.010"
    assert limited.denial(asked(quantity=Decimal(11))) == ""
    assert RULES.denial(replace(market, quantity=Decimal(11))) == ""
