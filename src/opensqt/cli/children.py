"""Child processes of the demo: started in sessions of their own, watched, and always ended."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_READY = re.compile(r"ready on (\S+:\d+)")
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH")
"""The variables that a child gets; no key, token or setting of the user reaches a demo."""
_POLL_S = 0.05


class ChildFailed(Exception):
    """A process ended early, or did not become ready.

    Attributes:
        child: The process; its log has the details.
    """

    def __init__(self, message: str, child: Child) -> None:
        super().__init__(message)
        self.child = child


class Child:
    """One console script of OpenSQT as a child process, with its output in a file.

    Args:
        name: Name in the view.
        module: The module that `python -m` runs.
        arguments: Its command line.
        folder: Working directory, and folder of NAME.log.
        env: Variables in addition to the few that are passed on.
    """

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.address = ""
        """HOST:PORT once it is ready."""
        self._folder = folder
        # -P: files in the folder are never imported.
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._env = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
        self._env |= {"PYTHONUNBUFFERED": "1", "LOG_FORMAT": "console", "NO_COLOR": "1", **(env or {})}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs or before it was started."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C does not end the processes in the wrong order."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    async def ready(self, within_s: float) -> str:
        """Wait for `NAME ready on HOST:PORT` and return HOST:PORT.

        Raises:
            ChildFailed: It ended, or took too long.
        """
        try:
            async with asyncio.timeout(within_s):
                while not (match := _READY.search(self.log.read_text(encoding="utf-8", errors="replace"))):
                    if self.exit_code is not None:
                        raise ChildFailed(f"{self.name} ended with code {self.exit_code} before it was ready", self)
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ChildFailed(f"{self.name} was not ready within {within_s:.0f} s", self) from None
        self.address = match[1]
        return self.address

    async def stop(self, within_s: float = 15) -> int | None:
        """Send SIGTERM, then SIGKILL if it does not end in time, and return the exit code."""
        if self._process is None:
            return None
        if self._process.returncode is None:
            self._send(signal.SIGTERM)
            try:
                async with asyncio.timeout(within_s):
                    await self._process.wait()
            except TimeoutError:
                self._send(signal.SIGKILL)
        return await self._process.wait()

    def kill(self) -> None:
        """End it at once with SIGKILL, where no time is left for an orderly stop."""
        if self._process is not None and self._process.returncode is None:
            self._send(signal.SIGKILL)

    def last_lines(self, count: int = 15) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None  # noqa: S101 - checked by the callers
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return  # it ended between the check and the signal, which is the intent


def _end_with_parent() -> None:
    """Ask Linux to send SIGTERM when the demo dies without having stopped its processes (kill -9)."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
