"""Housekeeping of an adapter: measures the venue's clock, and reloads the symbol rules when they are out of date."""

from __future__ import annotations

import asyncio
import time

from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.health import BackgroundTasks
from opensqt.venues.transport.subscription import QUERY_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_INTERVAL_S = 5.0
_RULES_RELOAD_S = 10.0


class Housekeeping:
    """Keeps the clock offset and the symbol rules current.

    Args:
        venue: Sends the queries.
        tasks: Owns the background tasks.
    """

    def __init__(self, venue: Venue, tasks: BackgroundTasks) -> None:
        self._venue = venue
        self._tasks = tasks
        self.rules_loaded_s = time.monotonic()
        self._rules_reload: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the clock's loop. The symbol rules were just loaded."""
        self.rules_loaded_s = time.monotonic()
        self._tasks.start("clock", self._keep_clock())

    def reload_rules(self) -> None:
        """Reload the symbol rules after a refusal showed that they are out of date, at most every few seconds."""
        running = self._rules_reload is not None and not self._rules_reload.done()
        if running or time.monotonic() - self.rules_loaded_s < _RULES_RELOAD_S:
            return
        self.rules_loaded_s = time.monotonic()
        self._rules_reload = self._tasks.start("rules", self._try_to_load_rules(), lasting=False)

    async def _keep_clock(self) -> None:
        """Measure the clock when that is due, and when the venue has not responded for a while.

        The measurement then shows whether the venue responds at all.
        """
        rest = self._venue.rest
        while True:
            await asyncio.sleep(min(_INTERVAL_S, self._venue.settings.clock_interval_s))
            if not rest.clock.due and rest.idle_s < _INTERVAL_S:
                continue
            try:
                await rest.clock.measure()
            except QUERY_ERRORS as error:
                _log.warning("clock measurement failed", error=redact(str(error)))

    async def _try_to_load_rules(self) -> None:
        try:
            await self._venue.load_rules()
        except QUERY_ERRORS as error:
            _log.warning("reload of the symbol rules failed", error=redact(str(error)))
