"""The quoter that the settings choose: the grid, the closed form, or one of the user's own."""

from __future__ import annotations

from typing import Any, Protocol

from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Quoter
from opensqt.model.venue import SymbolRules


class QuoterFactory(Protocol):
    """Makes a quoter: a class with this constructor, or a function."""

    def __call__(self, grid: Grid, settings: GridSettings, rules: SymbolRules, /) -> Quoter[Any]:
        """Return the quoter of a grid.

        Args:
            grid: Names the levels and their prices.
            settings: Amounts and windows.
            rules: The venue's steps and minimums.
        """
        ...
