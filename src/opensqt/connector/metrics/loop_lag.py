"""How late the event loop is: what blocks it delays every client."""

from __future__ import annotations

import asyncio
import time

from opensqt.telemetry.distribution import SECONDS, Distribution

_EVERY_S = 0.1


class LoopLag:
    """Wakes up again and again, and measures by how much too late."""

    def __init__(self) -> None:
        self.seconds = Distribution(SECONDS)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due_s = time.monotonic() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.seconds.observe(max(0.0, time.monotonic() - due_s))
