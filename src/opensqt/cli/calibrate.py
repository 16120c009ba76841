"""`opensqt calibrate`: the parameters of strategy glft from recorded trades."""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from opensqt.market_maker.strategy.calibration import Calibration, calibrate
from opensqt.market_maker.strategy.glft import GlftParameters
from opensqt.model.errors import ConfigError
from opensqt.service import program

_RISK = Decimal("0.05")
"""Risk aversion that is proposed, as a part of the decay."""


def run(options: argparse.Namespace) -> int:
    """Print the section `glft` of the settings, and the quotes that follow from it.

    Raises:
        ConfigError: The file can't be read, or has too few trades.
    """
    try:
        found = calibrate(read_trades(options.trades), window_ms=int(options.window * 1000))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--trades: {options.trades} can't be read: {error}") from None
    except ValueError as error:
        raise ConfigError(f"--trades: {options.trades}: {error}") from None
    print(text(found, options.risk_aversion))
    return program.EXIT_OK


def read_trades(path: Path) -> Iterator[tuple[int, float]]:
    """Read time and price of each trade, plain or gzip.

    Raises:
        ValueError: A column is missing, or a row has no numbers.
    """
    with _opened(path) as file:
        rows = csv.DictReader(file)
        missing = {"price", "time"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"expected columns price and time, {', '.join(sorted(missing))} missing")
        for row in rows:
            yield int(row["time"]), float(row["price"])


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


def _opened(path: Path) -> TextIO:
    return gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="")
