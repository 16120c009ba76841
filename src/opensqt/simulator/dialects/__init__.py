"""One wire protocol per venue over the same engine."""

from opensqt.simulator.dialects.base import Dialect
from opensqt.simulator.dialects.binance import Binance
from opensqt.simulator.dialects.bitget import Bitget
from opensqt.simulator.dialects.bybit import Bybit
from opensqt.simulator.dialects.gate import Gate
from opensqt.simulator.dialects.okx import Okx

DIALECTS: dict[str, type[Dialect]] = {
    Binance.name: Binance,
    Bitget.name: Bitget,
    Bybit.name: Bybit,
    Okx.name: Okx,
    Gate.name: Gate,
}
"""By the name that `--exchange` takes."""

__all__ = ["DIALECTS", "Dialect"]
