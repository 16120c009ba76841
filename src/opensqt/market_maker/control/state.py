"""What a person has set and a restart keeps: the pause, and the settings that were changed while it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from opensqt.market_maker.orders.events import PauseMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """The commands that are in force."""

    pause: PauseMode = PauseMode.NONE
    paused_by: str = ""
    paused_ms: int = 0
    """UTC epoch milliseconds; 0 while it is not paused."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Dotted key to value; they win over the file and the environment."""

    def encode(self) -> str:
        """Return the text for the database."""
        return json.dumps(
            {
                "pause": self.pause.value,
                "paused_by": self.paused_by,
                "paused_ms": self.paused_ms,
                "overrides": dict(self.overrides),
            }
        )

    @classmethod
    def decode(cls, text: str) -> ControlState:
        """Return the state of a stored text."""
        stored = json.loads(text)
        return cls(
            pause=PauseMode(stored["pause"]),
            paused_by=stored["paused_by"],
            paused_ms=stored["paused_ms"],
            overrides=stored["overrides"],
        )

    def problems(self) -> list[str]:
        """Return what a person has to lift again."""
        if self.pause is PauseMode.NONE:
            return []
        since = datetime.fromtimestamp(self.paused_ms / 1000, UTC)
        what = "no orders at all" if self.pause is PauseMode.ALL else "exits only"
        return [
            f"paused: {what}, by {self.paused_by} since {since:%Y-%m-%d %H:%M:%S} UTC;"
            " `opensqt resume --config FILE` lifts it"
        ]
