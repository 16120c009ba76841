"""One wire protocol per venue over the same engine."""

from opensqt.simulator.dialects.base import Dialect
from opensqt.simulator.dialects.binance import BinanceDialect
from opensqt.simulator.dialects.bitget import BitgetDialect
from opensqt.simulator.dialects.bybit import BybitDialect
from opensqt.simulator.dialects.gate import GateDialect
from opensqt.simulator.dialects.okx import OkxDialect

DIALECTS: dict[str, type[Dialect]] = {
    BinanceDialect.name: BinanceDialect,
    BitgetDialect.name: BitgetDialect,
    BybitDialect.name: BybitDialect,
    OkxDialect.name: OkxDialect,
    GateDialect.name: GateDialect,
}
"""The dialects by the name that `--exchange` takes."""

__all__ = ["DIALECTS", "Dialect"]
