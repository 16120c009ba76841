"""The market around the accounts: steps outside flow, generated or recorded, as market time passes."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.order import Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine import Engine
from opensqt.simulator.settings import SimulatorSettings


class Market:
    """One venue's outside world. Make it with `open_market`."""

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock, engine: Engine) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = engine
        self.finished = False
        """Whether a recording was played to its end; quotes then stand still."""

    async def run(self) -> None:
        """Step the market as its clock goes on, until canceled.

        Raises:
            ConfigError: A row of the recording is malformed; file, line, column and value are named.
        """
        raise NotImplementedError

    def step(self, until_ms: int) -> None:
        """Let everything happen that is due until then."""
        raise NotImplementedError

    def advance(self, milliseconds: int) -> None:
        """Step a manual clock, and let everything happen that is due then.

        Raises:
            ValueError: The clock is live, or the step is below zero.
        """
        self.step(self.clock.advance(milliseconds))

    def aggress(self, symbol: str, side: Side, quantity: Decimal, price: Decimal | None = None) -> Decimal:
        """Let an outside participant send an aggressive order at once.

        Args:
            symbol: Canonical.
            side: BUY takes asks, SELL takes bids.
            quantity: Base coins.
            price: The worst it takes; what then is left rests there. Without it the order is a market order.

        Returns:
            What was filled.

        Raises:
            Refused: UNKNOWN_SYMBOL, or INVALID for a quantity or price that is not above zero.
        """
        raise NotImplementedError

    def pause(self, symbol: str) -> None:
        """Stop the generator's or the recording's activity in a symbol; quotes stand still."""
        raise NotImplementedError

    def resume(self, symbol: str) -> None:
        """Go on; what the pause left out is left out."""
        raise NotImplementedError


def open_market(settings: SimulatorSettings) -> Market:
    """Make clock, engine and market as the settings say; the books are quoted when it returns.

    Raises:
        ConfigError: The recording can't be read, is of no known layout, or its first rows are malformed.
    """
    raise NotImplementedError
