"""The exposure of several grids of one process: what each holds, and what its resting entries may add."""

from __future__ import annotations

from collections.abc import Mapping

from opensqt.market_maker.orders.events import GridExposure


class SharedExposure:
    """What each grid of a process has reported. A grid reads it before a decision and reports after it."""

    def __init__(self) -> None:
        self._grids: dict[str, GridExposure] = {}

    def report(self, symbol: str, exposure: GridExposure) -> None:
        """Take in what one grid holds and may come to hold."""
        self._grids[symbol] = exposure

    def remove(self, symbol: str) -> None:
        """Forget a grid: its entries are gone. What it holds is in the positions of the account."""
        self._grids.pop(symbol, None)

    def others(self, symbol: str) -> Mapping[str, GridExposure]:
        """Return the exposure of the other grids by their symbol."""
        return {name: one for name, one in self._grids.items() if name != symbol}
