"""The audit as a file of its own: a line of JSON for each trading call, appended and never changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from opensqt.model.clock import now_ms
from opensqt.model.errors import ConfigError
from opensqt.model.venue import Check
from opensqt.telemetry import logging

_log = logging.get_logger("connector.audit_file")
_KEPT = 20_000
"""Lines kept for a disk that refuses them; the log has all of them."""


class AuditFile:
    """Appends lines to one file. The event loop never waits for the disk.

    The file is opened anew for each write, so that it may be moved away at any time (logrotate).

    Args:
        path: Made, for its owner only, where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._waiting: list[bytes] = []
        self._writing: asyncio.Task[None] | None = None
        self._lost = 0
        self._trouble = ""
        self._since_ms = 0

    def open(self) -> None:
        """Prove that the file can be written.

        Raises:
            ConfigError: It can't.
        """
        _, error = _append(self.path, b"")
        if error is not None:
            raise ConfigError(f"server.audit_file: {str(self.path)!r} can't be written: {error.strerror}")

    def write(self, facts: Mapping[str, Any]) -> None:
        """Append one line soon."""
        if len(self._waiting) >= _KEPT:
            self._lost += 1
            return
        self._waiting.append(orjson.dumps(facts, default=str, option=orjson.OPT_APPEND_NEWLINE))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting(), name="audit")

    def checks(self) -> list[Check]:
        """Return why lines wait for the disk. It is no failure of health: the log has them, too."""
        if not self._trouble:
            return []
        return [Check(name="audit_file", ok=True, reason=self._trouble, since_ms=self._since_ms)]

    async def close(self) -> None:
        """Write what waits. Idempotent."""
        if self._writing is not None:
            await self._writing
        if self._waiting:
            await self._write_waiting()
        self._thread.shutdown(wait=False)

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                lines, self._waiting = self._waiting, []
                rest, error = await loop.run_in_executor(self._thread, _append, self.path, b"".join(lines))
                if error is not None:
                    # Tried again with the next line.
                    self._waiting.insert(0, rest)
                    self._failed(error)
                    return
                self._recovered()
        finally:
            self._writing = None

    def _failed(self, error: OSError) -> None:
        if not self._trouble:
            self._since_ms = now_ms()
            _log.error("audit file not written", path=str(self.path), reason=error.strerror)
        self._trouble = f"{self.path} can't be written: {error.strerror}; {len(self._waiting)} lines wait"

    def _recovered(self) -> None:
        if self._trouble:
            _log.warning("audit file is written again", path=str(self.path), lost=self._lost)
            self._trouble, self._lost = "", 0


def _append(path: Path, data: bytes) -> tuple[bytes, OSError | None]:
    """Append what can be appended; return the rest and the reason, so that no line is torn or written twice."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)
    except OSError as error:
        return data, error
    return data, None
