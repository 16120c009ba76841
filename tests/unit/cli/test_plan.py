"""The demo's grid: it earns more than its fees, and the market crosses it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from opensqt.cli.plan import DemoGrid, market_maker_settings, plan
from opensqt.config.market_maker import load_settings
from opensqt.model.market import Candle
from opensqt.model.venue import SymbolRules

FEE = Decimal("0.0002")


def rules(price_step: str = "0.10", quantity_step: str = "0.001", min_notional: str = "5") -> SymbolRules:
    return SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        price_step=Decimal(price_step),
        quantity_step=Decimal(quantity_step),
        min_quantity=Decimal(quantity_step),
        min_notional=Decimal(min_notional),
    )


def bars(price: Decimal, spread: Decimal) -> list[Candle]:
    return [
        Candle(
            symbol="BTCUSDT",
            interval="1m",
            open_time_ms=60_000 * minute,
            open=price,
            high=price + spread,
            low=price,
            close=price,
            volume=Decimal(1),
        )
        for minute in range(30)
    ]


@given(
    price=st.decimals(min_value="0.5", max_value="200000", places=2),
    spread=st.decimals(min_value="0", max_value="500", places=2),
    speed=st.sampled_from([Decimal(1), Decimal(5), Decimal(600)]),
)
def test_a_round_trip_earns_more_than_its_two_fees(price: Decimal, spread: Decimal, speed: Decimal) -> None:
    made = plan(price, bars(price, spread), rules("0.0001"), fee_rate=FEE, speed=speed)
    assert made.interval - (2 * price + made.interval) * FEE > 0


@given(
    price=st.decimals(min_value="1", max_value="200000", places=2),
    quantity_step=st.sampled_from(["0.001", "0.1", "1"]),
    min_notional=st.sampled_from(["0", "5", "100"]),
)
def test_an_order_is_worth_what_the_venue_asks_for(price: Decimal, quantity_step: str, min_notional: str) -> None:
    filters = rules(quantity_step=quantity_step, min_notional=min_notional)
    made = plan(price, (), filters, fee_rate=FEE, speed=Decimal(1))
    quantity = filters.round_quantity(made.order_quantity / price)
    assert quantity >= filters.min_quantity
    assert quantity * price >= filters.min_notional


def test_without_a_past_the_smallest_interval_that_earns_is_taken() -> None:
    assert plan(Decimal(45000), (), rules(), fee_rate=FEE, speed=Decimal(1)).interval == 19


def test_a_livelier_market_gets_a_wider_grid() -> None:
    price = Decimal(45000)
    wide = plan(price, bars(price, Decimal(300)), rules(), fee_rate=FEE, speed=Decimal(5))
    assert 19 < wide.interval <= 55


def test_the_interval_is_a_multiple_of_the_price_step() -> None:
    assert plan(Decimal("333.3"), (), rules("0.5"), fee_rate=FEE, speed=Decimal(1)).interval % Decimal("0.5") == 0


def test_the_settings_are_ones_that_the_market_maker_takes(tmp_path: Path) -> None:
    made = DemoGrid(interval=Decimal(20), order_quantity=Decimal(140))
    path = tmp_path / "market_maker.yaml"
    path.write_text(
        yaml.safe_dump(
            market_maker_settings(
                made,
                symbol="BTCUSDT",
                connector="127.0.0.1:50051",
                database="/tmp/x.db",
                fee_rate=FEE,
                exchange="binance",
            )
        )
    )
    settings = load_settings(path, environ={})
    assert (settings.trading.price_interval, settings.trading.order_quantity) == (20, 140)
