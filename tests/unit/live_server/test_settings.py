"""The live server's settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.config.live_server import load_settings
from opensqt.model.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "configs" / "live_server.yaml"


def written(folder: Path, text: str) -> Path:
    file = folder / "live_server.yaml"
    file.write_text(text)
    return file


def test_the_shipped_file_loads_without_any_variable_and_equals_the_defaults():
    assert load_settings(SHIPPED, environ={}) == load_settings(None, environ={})


def test_the_connector_is_the_source_unless_told_otherwise():
    settings = load_settings(SHIPPED, environ={})
    assert settings.app.current_exchange == "remote"
    assert settings.exchanges.remote.base_url == "localhost:50051"


def test_variables_win_over_the_file():
    environ = {
        "SYMBOL": "BTCUSDT",
        "EXCHANGE_GRPC_ADDRESS": "connector:6000",
        "PORT": "9000",
        "OPENSQT__CHART__INTERVAL": "5m",
    }
    settings = load_settings(SHIPPED, environ=environ)
    assert (settings.trading.symbol, settings.exchanges.remote.base_url) == ("BTCUSDT", "connector:6000")
    assert (settings.server.port, settings.chart.interval) == (9000, "5m")


def test_development_mode_needs_its_venues_keys(tmp_path: Path):
    text = SHIPPED.read_text().replace("current_exchange: remote", "current_exchange: binance")
    with pytest.raises(ConfigError, match=r"exchanges\.binance\.api_key: the variable API_KEY is not set"):
        load_settings(written(tmp_path, text), environ={})


def test_an_unknown_interval_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"chart\.interval: '7m': expected one of 1m"):
        load_settings(written(tmp_path, "chart: {interval: 7m}"), environ={})


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"server\.prot: no such key; did you mean port\?"):
        load_settings(written(tmp_path, "server: {prot: 1}"), environ={})


def test_profit_counts_from_midnight_utc_of_the_day_given(tmp_path: Path):
    settings = load_settings(written(tmp_path, "profit: {since: 2026-01-31}"), environ={})
    assert settings.profit.since_ms == 1_769_817_600_000


def test_a_day_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"profit\.since: 'yesterday': expected a day"):
        load_settings(written(tmp_path, "profit: {since: yesterday}"), environ={})
