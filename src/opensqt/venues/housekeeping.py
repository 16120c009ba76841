"""Housekeeping of an adapter: measures the venue's clock, loads the symbol rules again, and forgets old reports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

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
        expire_reports: Called every few seconds to forget the reports of frames that are old enough.
    """

    def __init__(self, venue: Venue, tasks: BackgroundTasks, *, expire_reports: Callable[[], None]) -> None:
        self._venue = venue
        self._expire_reports = expire_reports
        self._tasks = tasks
        self.rules_loaded_s = time.monotonic()
        self._rules_reload: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the loops. The symbol rules were just loaded."""
        self.rules_loaded_s = time.monotonic()
        self._tasks.start("clock", self._keep_clock())
        self._tasks.start("symbols", self._keep_rules())

    def reload_rules(self) -> None:
        """Reload the symbol rules after a refusal showed that they are out of date, at most every few seconds."""
        if self._rules_reload is None or self._rules_reload.done():
            self._rules_reload = self._tasks.start("rules", self._reload_rules(), lasting=False)

    async def _reload_rules(self) -> None:
        """Load the rules as soon as the last load is long enough ago: the refusal may be the only one for long."""
        await asyncio.sleep(max(0.0, self.rules_loaded_s + _RULES_RELOAD_S - time.monotonic()))
        await self._try_to_load_rules()

    async def _keep_rules(self) -> None:
        """Load the rules regularly: nothing else shows that a symbol that is held stopped trading."""
        interval_s = self._venue.settings.rules_interval_s
        while True:
            await asyncio.sleep(max(0.0, self.rules_loaded_s + interval_s - time.monotonic()))
            await self._try_to_load_rules()

    async def _keep_clock(self) -> None:
        """Measure the clock when that is due, and when the venue has not responded for a while.

        The measurement then shows whether the venue responds at all.
        """
        rest = self._venue.rest
        while True:
            await asyncio.sleep(min(_INTERVAL_S, self._venue.settings.clock_interval_s))
            self._expire_reports()
            if not rest.clock.due and rest.idle_s < _INTERVAL_S:
                continue
            try:
                await rest.clock.measure()
            except QUERY_ERRORS as error:
                _log.warning("clock measurement failed", error=redact(str(error)))

    async def _try_to_load_rules(self) -> None:
        self.rules_loaded_s = time.monotonic()
        try:
            await self._venue.load_rules()
        except QUERY_ERRORS as error:
            _log.warning("reload of the symbol rules failed", error=redact(str(error)))
