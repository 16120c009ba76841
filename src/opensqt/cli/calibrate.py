"""`opensqt calibrate`: the parameters of strategy glft from recorded trades."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    if options.json:
        print(json.dumps(as_json(found, options.risk_aversion), indent=2))
    else:
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


def parameters(found: Calibration, risk_aversion: Decimal | None) -> GlftParameters:
    """Return the estimates, rounded, and what is proposed for the rest."""
    arrivals, decay, volatility = (_rounded(value) for value in (found.arrivals, found.decay, found.volatility))
    gamma = risk_aversion or _rounded(float(decay * _RISK))
    return GlftParameters(arrivals=arrivals, decay=decay, volatility=volatility, risk_aversion=gamma, most_lots=10)


def as_json(found: Calibration, risk_aversion: Decimal | None) -> dict[str, Any]:
    """Return the section `glft` of the settings and its quotes as JSON values, amounts as text."""
    made = parameters(found, risk_aversion)
    glft = {name: f"{getattr(made, name):f}" for name in ("arrivals", "decay", "volatility", "risk_aversion")}
    quotes = {"half_spread": f"{made.half_spread:.4f}", "skew": f"{made.skew:.4f}"}
    return {"windows": found.windows, "glft": {**glft, "most_lots": made.most_lots}, **quotes}


def text(found: Calibration, risk_aversion: Decimal | None) -> str:
    """Return the section of the settings, with comments."""
    made = parameters(found, risk_aversion)
    return "\n".join(
        (
            f"# from {found.windows} windows of recorded trades",
            "trading:",
            "  strategy: glft",
            "  grid_mode: neutral",
            "  glft:",
            f"    arrivals: {made.arrivals:f}      # fills per second at the price",
            f"    decay: {made.decay:f}         # per USDT of distance",
            f"    volatility: {made.volatility:f}    # USDT over one second",
            f"    risk_aversion: {made.risk_aversion:f} # per USDT and lot",
            "    most_lots: 10",
            f"# quotes {made.half_spread:.4f} on each side of the price, moved by {made.skew:.4f} for each lot held",
        )
    )


def _rounded(value: float) -> Decimal:
    """Four digits: no estimate is better than that."""
    return Decimal(f"{value:.4g}")
