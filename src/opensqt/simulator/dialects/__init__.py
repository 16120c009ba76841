"""One wire protocol per venue over the same engine."""

from opensqt.simulator.dialects.base import Dialect
from opensqt.simulator.dialects.binance import Binance

DIALECTS: dict[str, type[Dialect]] = {Binance.name: Binance}
"""By the name that `--exchange` takes."""

__all__ = ["DIALECTS", "Dialect"]
