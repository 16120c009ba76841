"""`opensqt calibrate`: the parameters of strategy glft from recorded trades."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from opensqt.market_maker.strategy.calibration import Calibration, calibrate
from opensqt.market_maker.strategy.glft import GlftParameters
from opensqt.model.errors import ConfigError
from opensqt.recordings import Content, Trade, open_file
from opensqt.service import program

_RISK = Decimal("0.05")
"""Risk aversion that is proposed, as a part of the decay."""


def run(options: argparse.Namespace) -> int:
    """Print the section `glft` of the settings, and the quotes that follow from it.

    Raises:
        ConfigError: The file can't be read, a row is malformed, or there are too few trades.
    """
    try:
        found = calibrate(read_trades(options.trades), window_ms=int(options.window * 1000))
    except ValueError as error:
        raise ConfigError(f"--trades: {options.trades}: {error}") from None
    print(text(found, options.risk_aversion))
    return program.EXIT_OK


def read_trades(path: Path) -> Iterator[tuple[int, float]]:
    """Read time and price of each trade, from any format of recorded trades.

    Raises:
        ConfigError: The file can't be read, has no trades, or a row is malformed.
    """
    recorded = open_file(path)
    if recorded.content not in (Content.TRADES, Content.DEPTH):
        raise ConfigError(f"--trades: {path}: expected recorded trades, found {recorded.content}")
    return ((row.time_ns // 1_000_000, float(row.price)) for row in recorded.rows() if isinstance(row, Trade))


def text(found: Calibration, risk_aversion: Decimal | None) -> str:
    """Return the section of the settings, with comments."""
    arrivals, decay, volatility = (_rounded(value) for value in (found.arrivals, found.decay, found.volatility))
    gamma = risk_aversion or _rounded(float(decay * _RISK))
    made = GlftParameters(arrivals=arrivals, decay=decay, volatility=volatility, risk_aversion=gamma, most_lots=10)
    return "\n".join(
        (
            f"# from {found.windows} windows of recorded trades",
            "trading:",
            "  strategy: glft",
            "  grid_mode: neutral",
            "  glft:",
            f"    arrivals: {arrivals:f}      # fills per second at the price",
            f"    decay: {decay:f}         # per USDT of distance",
            f"    volatility: {volatility:f}    # USDT over one second",
            f"    risk_aversion: {gamma:f} # per USDT and lot",
            "    most_lots: 10",
            f"# quotes {made.half_spread:.4f} on each side of the price, moved by {made.skew:.4f} for each lot held",
        )
    )


def _rounded(value: float) -> Decimal:
    """Four digits: no estimate is better than that."""
    return Decimal(f"{value:.4g}")
