"""Recordings of every format are played as they are: the candles of the replay are the bars of the source."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings
from tests.unit.recordings import made

SYMBOL = "XRPUSDT"
BARS, TRADES = made.bars(), made.trades()
BAR_FILES, TRADE_FILES = made.bar_files(BARS), made.trade_files(TRADES)


def _market(*paths: Path, **more) -> Market:
    settings = {"replays": {SYMBOL: paths}, "symbols": (), "clock": "manual", "replay_history": 0, **more}
    return open_market(SimulatorSettings(**settings))


def _candles(market: Market, minutes: int) -> list[tuple]:
    market.advance(minutes * made.MINUTE_MS)
    bars = [bar for bar in market.engine.candles(SYMBOL, "1m") if bar.trades]
    return [(bar.open_time_ms, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


@pytest.mark.parametrize("name", BAR_FILES)
def test_the_candles_of_bars_are_the_bars_to_the_unit(tmp_path: Path, name: str) -> None:
    """Open, high, low, close and volume of every bar, by rules that were derived from the file."""
    market = _market(made.write(tmp_path, name, BAR_FILES[name]))
    rules = market.engine.symbol(SYMBOL)
    assert (rules.price_step, rules.quantity_step) == (Decimal("0.0001"), Decimal("0.1"))
    assert _candles(market, len(BARS)) == [(bar.open_ms, *bar.prices, bar.volume) for bar in BARS]


@pytest.mark.parametrize("name", TRADE_FILES)
def test_the_candles_of_trades_are_those_of_the_source_to_the_unit(tmp_path: Path, name: str) -> None:
    """Every trade is in the minute of its own time."""
    market = _market(made.write(tmp_path, name, TRADE_FILES[name]))
    expected = made.bars_of(TRADES)
    assert _candles(market, (expected[-1][0] - expected[0][0]) // made.MINUTE_MS + 1) == expected
