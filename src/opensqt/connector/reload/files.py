"""Files that are taken up again when they change, without a restart; a bad one leaves the one before in use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opensqt.model.clock import now_ms
from opensqt.model.errors import BackOff, ConfigError, ExchangeError, Unreachable
from opensqt.model.venue import Check
from opensqt.telemetry import logging

_log = logging.get_logger("connector.reloads")
_LOOK_EVERY_S = 0.5
_TRY_AGAIN_MS = 5_000

_State = tuple[tuple[int, int, int] | None, ...]


@dataclass(slots=True)
class _Source:
    name: str
    paths: tuple[Path, ...]
    load: Callable[[], Awaitable[None]]
    used: _State
    """As the files were when they were last loaded, or failed to."""
    seen: _State
    """As they were at the last look."""
    trouble: str = ""
    since_ms: int = 0
    again_ms: int = 0
    """When to try again although nothing changed; 0 for never."""


class Reloads:
    """Looks after files that may change while we run."""

    def __init__(self) -> None:
        self.sources: list[_Source] = []
        self._wanted = asyncio.Event()

    @property
    def files(self) -> list[Path]:
        """All that is looked after."""
        return [path for source in self.sources for path in source.paths]

    def add(self, name: str, paths: Iterable[Path], load: Callable[[], Awaitable[None]]) -> None:
        """Look after some files, as they are now.

        Args:
            name: What the log and the check call them.
            paths: The files.
            load: Takes up what is in them; raises ConfigError or ExchangeError, and then changes nothing.
        """
        files = tuple(paths)
        state = _look(files)
        self.sources.append(_Source(name, files, load, used=state, seen=state))

    def at_once(self) -> None:
        """Take everything up again soon, changed or not."""
        self._wanted.set()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._wanted.wait()
            everything = self._wanted.is_set()
            self._wanted.clear()
            await self.look(everything=everything)

    async def look(self, *, everything: bool = False) -> None:
        """Take up what has changed.

        Args:
            everything: Take up what has not changed, too, and do not wait until a change has settled.
        """
        for source in self.sources:
            state = await asyncio.to_thread(_look, source.paths)
            # Several files are rarely replaced at one instant, so a change counts when it has settled for one look.
            settled, source.seen = state == source.seen, state
            due = 0 < source.again_ms <= now_ms()
            if everything or due or (settled and state != source.used):
                source.used = state
                await _take_up(source)

    def checks(self) -> list[Check]:
        """Return a check for each file that could not be applied. Health does not fail: the one before is in use."""
        return [
            Check(name=f"configuration:{source.name}", ok=True, reason=source.trouble, since_ms=source.since_ms)
            for source in self.sources
            if source.trouble
        ]


async def _take_up(source: _Source) -> None:
    source.again_ms = 0
    try:
        await source.load()
    except (ConfigError, ExchangeError) as error:
        text = logging.redact(str(error))
        if isinstance(error, Unreachable | BackOff):
            source.again_ms = now_ms() + _TRY_AGAIN_MS
        if not source.trouble:
            source.since_ms = now_ms()
        source.trouble = f"{text} (what was in use before still is)"
        _log.error("not taken up; what was in use before still is", what=source.name, reason=text)
    else:
        source.trouble, source.since_ms = "", 0
        _log.info("taken up again", what=source.name, files=[str(path) for path in source.paths])


def _look(paths: Iterable[Path]) -> _State:
    return tuple(map(_state, paths))


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
