"""A recording that a campaign is played on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from opensqt.simulator.market.replay import open_recording
from opensqt.simulator.settings import SimulatorSettings
from tests.service.grid_rig import SYMBOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A file, and the time that it covers, UTC epoch milliseconds."""

    path: Path
    start_ms: int
    end_ms: int

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """Read a file of bars or of trades to its end.

        Raises:
            ConfigError: It can't be read, or a row is malformed.
        """
        settings = SimulatorSettings()
        rules = next(each for each in settings.symbols if each.symbol == SYMBOL)
        recording = open_recording(path, rules, settings.replay_history)
        last = deque(recording.prints, maxlen=1)
        return cls(path=path, start_ms=recording.start_ms, end_ms=last[0].time_ms)

    def speed(self, seconds: float) -> Decimal:
        """Return the speed at which it lasts so long, at least 1."""
        return max(Decimal(1), Decimal(self.end_ms - self.start_ms) / Decimal(1000 * seconds))
