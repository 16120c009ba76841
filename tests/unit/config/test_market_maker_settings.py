"""The market maker's settings: the shipped file loads as it is, and what is not built is refused, not ignored."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.model.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "configs" / "config.yaml"


def loaded(tmp_path: Path, text: str, **environ: str) -> MarketMakerSettings:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return load_settings(file, environ=environ)


def test_the_shipped_file_loads_with_no_variable_set_and_equals_the_defaults() -> None:
    assert load_settings(SHIPPED, environ={}) == MarketMakerSettings()


def test_prices_never_pass_through_a_float(tmp_path: Path) -> None:
    assert loaded(tmp_path, "trading: {price_interval: 0.1}").trading.price_interval == Decimal("0.1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trading: {grid_mode: sideways}", "trading.grid_mode"),
        ("trading: {volatility_scale: 0}", "trading.volatility_scale"),
        ("trading: {volatility_candles: 7m}", "trading.volatility_candles"),
        ("trading: {stop_closes: sell}", "trading.stop_closes"),
        ("trading: {inventory_skew_factor: -0.5}", "trading.inventory_skew_factor"),
        ("trading: {lowest_price: 900, highest_price: 800}", "lowest_price 900: expected below highest_price 800"),
        ("trading: {strategy: glft, grid_mode: neutral}", "glft: expected its parameters"),
        ("trading: {symbols: [BTCUSDT]}", "trading.symbols"),
        ("trading: {symbols: [{price_interval: 5}]}", "trading.symbols[0]: expected `symbol`"),
        ("trading: {symbols: [{symbol: BTCUSDT, price_interval: 0}]}", "trading.symbols[0] (BTCUSDT): price_interval"),
        ("trading: {symbols: [{symbol: BTCUSDT, intervall: 5}]}", "trading.symbols[0] (BTCUSDT): intervall"),
        ("trading: {symbols: [{symbol: BTCUSDT}, {symbol: BTCUSDT}]}", "expected each symbol once"),
        ("trading: {symbol: ETHUSDT, symbols: [{symbol: BTCUSDT}]}", "expected one of them"),
        ("risk_control: {interval: 7m}", "risk_control.interval: '7m': expected one of 1m, 3m"),
        ("risk_control: {global_strategy: some}", "risk_control.global_strategy"),
        ("risk_control: {auto_reduce: {share: 2}}", "risk_control.auto_reduce.share"),
        ("risk_control: {daily_loss_limit: 5}", "risk_control.daily_loss_limit"),
        ("risk_control: {breaker: {cool_down: 5}}", "did you mean cool_down_seconds?"),
        ("trading: {price_interval: 0}", "trading.price_interval"),
        ("trading: {order_quantity: NaN}", "trading.order_quantity"),
        ("trading: {order_cleanup_threshold: 15}", "expected at least 20"),
        ("trading: {strategy_id: toolong}", "trading.strategy_id"),
        ("app: {current_exchange: kraken}", "app.current_exchange"),
        ("app: {adopt_position: sell}", "app.adopt_position"),
        ("tradin: {}", "did you mean trading?"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert told in str(error.value)


def test_each_symbol_has_the_shared_keys_and_its_own(tmp_path: Path) -> None:
    """An entry of trading.symbols overrides the section's keys for its symbol, and no others."""
    text = "trading: {price_interval: 5, symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT, price_interval: 0.5}]}"
    settings = loaded(tmp_path, text)
    assert settings.symbols == ("BTCUSDT", "ETHUSDT")
    assert [grid.trading.price_interval for grid in settings.grids()] == [Decimal(5), Decimal("0.5")]
    assert [grid.symbols for grid in settings.grids()] == [("BTCUSDT",), ("ETHUSDT",)]


def test_the_short_forms_win_over_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "trading: {symbol: ETHUSDT}",
        SYMBOL="BTCUSDT",
        EXCHANGE_GRPC_ADDRESS="connector:50051",
        LOG_LEVEL="DEBUG",
        OPENSQT__TRADING__PRICE_INTERVAL="2.5",
    )
    assert settings.trading.symbol == "BTCUSDT"
    assert settings.exchanges.remote.base_url == "connector:50051"
    assert settings.system.log_level == "DEBUG"
    assert settings.trading.price_interval == Decimal("2.5")


def test_keys_of_a_venue_that_is_not_used_need_no_variable(tmp_path: Path) -> None:
    text = "exchanges: {binance: {api_key: '${NOT_SET}', fee_rate: 0.001}}"
    assert loaded(tmp_path, text).venue_access("binance").fee_rate == Decimal("0.001")


def test_a_missing_key_of_the_venue_in_use_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NOT_SET is not set"):
        loaded(tmp_path, "app: {current_exchange: binance}\nexchanges: {binance: {api_key: '${NOT_SET}'}}")


def test_a_database_url_with_a_password_is_never_shown(tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, "app: {database_url: 'mysql://me:canary@host/db'}")
    assert "canary" not in str(error.value)
