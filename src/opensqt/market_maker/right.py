"""The right of a market maker to touch the orders of its symbol, proven before anything is sent.

A process that stood still may have been replaced, and its orders are the other one's then. New orders are safe: their
intents have to be stored first, and the connector refuses them. A cancel needs neither.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from opensqt.model.errors import ExchangeError, TradingClaimed

Ask = Callable[[], Awaitable[None]]
"""Renews the claim at the connector; raises TradingClaimed when another program has it."""


class RenewedHold(Protocol):
    """The hold of this process on its grids; `Holding`."""

    def is_sure(self, symbol: str, now: float) -> bool:
        """Return whether nobody else can have taken the grid."""


class TradingRight:
    """The right of one grid.

    Args:
        symbol: Of the grid.
        holding: The hold in the database: while it is renewed, nobody else trades.
        ask: As the lease gives it. None where no connector keeps claims.
    """

    def __init__(self, symbol: str, holding: RenewedHold, ask: Ask | None = None) -> None:
        self._symbol = symbol
        self._holding = holding
        self._ask = ask

    async def confirm(self) -> None:
        """Return when this process trades the grid: at once while its hold is renewed, else the connector is asked.

        Who takes a grid over takes the claim at the connector before it does anything else, so its word counts while
        the database can't be reached.

        Raises:
            TradingClaimed: Another process does.
            ExchangeError: The connector does not respond.
        """
        if self._ask is not None and not self._holding.is_sure(self._symbol, time.monotonic()):
            await self._ask()

    async def verify(self) -> None:
        """Ask the connector, which has refused an order: the claim may only have run out, and is renewed then.

        Raises:
            TradingClaimed: Another process trades the grid.
        """
        if self._ask is None:
            return
        try:
            await self._ask()
        except TradingClaimed:
            raise
        except ExchangeError:
            return
