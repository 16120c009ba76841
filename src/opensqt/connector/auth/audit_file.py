"""The audit as a file of its own: a line of JSON for each trading call, chained, appended and never changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from opensqt.connector.auth import audit_chain
from opensqt.model.clock import now_ms
from opensqt.model.errors import ConfigError
from opensqt.model.venue import Check
from opensqt.telemetry import logging

_log = logging.get_logger("connector.audit_file")
_MAX_WAITING_BYTES = 4 * 1024 * 1024
"""Of lines kept for a disk that refuses them; the log has all of them."""
RETRY_S = 1.0
_LOOK_BACK_BYTES = 1024 * 1024
"""How far the last line is looked for; a line of a batch of 100 orders has about 20 KB."""


class AuditFile:
    """Appends lines to one file. The event loop never waits for the disk.

    The file is opened anew for each write, so that it may be moved away at any time (logrotate). Lines that a disk
    refuses wait, up to 4 MB of them; what comes beyond that is dropped and counted, and a line says how many were lost.
    The chain of the lines goes on through restarts, and into the file that follows one that was moved away.

    Args:
        path: Made, for its owner only, where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0
        """Lines that the file will never have."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._chain = audit_chain.GENESIS
        self._unreported = 0
        """Lines dropped that no line of the file reports yet."""
        self._trouble = ""
        self._since_ms = 0

    @property
    def waiting_bytes(self) -> int:
        """The size of the lines that are not written yet."""
        return self._waiting_bytes

    def open(self) -> None:
        """Prove that the file can be written, and continue its chain.

        Raises:
            ConfigError: It can't be read and written.
        """
        _, failure = _append(self.path, b"")
        if failure is not None:
            raise ConfigError(f"server.audit_file: {str(self.path)!r} can't be written: {failure.strerror}")
        try:
            *complete, torn = _ending(self.path).split(b"\n")
        except OSError as error:
            raise ConfigError(f"server.audit_file: {str(self.path)!r} can't be read: {error.strerror}") from None
        # A kill can leave a piece of a line: it gets a line of its own, so that the next one is whole.
        _append(self.path, b"\n" if torn else b"")
        self._chain = next(filter(None, map(audit_chain.chain_of, reversed(complete))), audit_chain.GENESIS)
        _log.info("audit file opened", path=str(self.path), chain=self._chain)

    def write(self, facts: Mapping[str, Any]) -> str:
        """Append one line soon, and return its hash; an empty text when it was dropped."""
        line, chain = audit_chain.encode(facts, self._chain)
        if self._waiting_bytes + len(line) > _MAX_WAITING_BYTES:
            self.dropped += 1
            self._unreported += 1
            return ""
        self._add(line, chain)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting(), name="audit")
        return chain

    def checks(self) -> list[Check]:
        """Return why lines wait for the disk. It is no failure of health: the log has them, too."""
        if not self._trouble:
            return []
        reason = f"{self._trouble}; {self._waiting_bytes} bytes wait, {self.dropped} lines dropped"
        return [Check(name="audit_file", ok=True, reason=reason, since_ms=self._since_ms)]

    async def close(self) -> None:
        """Write what waits, as far as the disk takes it at once. Idempotent."""
        self._closing.set()
        if self._writing is not None:
            await self._writing
        self._thread.shutdown(wait=False)

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                if await self._write_once() or self._closing.is_set():
                    continue
                # By the clock and not with the next line: each attempt costs, and a flood of calls makes many lines.
                try:
                    async with asyncio.timeout(RETRY_S):
                        await self._closing.wait()
                except TimeoutError:
                    continue
        finally:
            self._writing = None

    async def _write_once(self) -> bool:
        data, self._waiting = b"".join(self._waiting), []
        rest, error = await asyncio.get_running_loop().run_in_executor(self._thread, _append, self.path, data)
        self._waiting_bytes -= len(data) - len(rest)
        if error is None:
            self._recovered()
            return True
        if self._closing.is_set():
            _log.error("audit lines lost at the stop", path=str(self.path), size=self._waiting_bytes)
            self._waiting.clear()
            return False
        self._waiting.insert(0, rest)
        self._failed(error)
        return False

    def _add(self, line: bytes, chain: str) -> None:
        self._chain = chain
        self._waiting.append(line)
        self._waiting_bytes += len(line)

    def _failed(self, error: OSError) -> None:
        if not self._trouble:
            self._since_ms = now_ms()
            _log.error("audit file not written", path=str(self.path), reason=error.strerror)
        self._trouble = f"{self.path} can't be written: {error.strerror}"

    def _recovered(self) -> None:
        if self._unreported:
            lost = {"time_ms": now_ms(), "event": "dropped", "lines": self._unreported}
            self._add(*audit_chain.encode(lost, self._chain))
        if self._trouble:
            _log.warning("audit file is written again", path=str(self.path), dropped=self._unreported)
        self._trouble, self._unreported = "", 0


def _ending(path: Path) -> bytes:
    """Return the last bytes of the file."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOOK_BACK_BYTES))
        return file.read()


def _append(path: Path, data: bytes) -> tuple[bytes, OSError | None]:
    """Append what can be appended; return the rest and the reason, so that no line is torn or written twice."""
    written = 0
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            written -= _take_back(file, written - data.rfind(b"\n", 0, written) - 1)
            raise
        finally:
            os.close(file)
    except OSError as error:
        return data[written:], error
    return b"", None


def _take_back(file: int, torn: int) -> int:
    """Take the part of a line off the end of the file, which may be moved away before the disk takes the rest of it.

    Returns:
        How many bytes were taken back; 0 where the file may only grow.
    """
    try:
        if torn:
            os.ftruncate(file, os.fstat(file).st_size - torn)
    except OSError:
        return 0
    return torn
