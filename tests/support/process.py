"""Our console scripts as real processes on free ports."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.fork_server import PROGRAMS, ForkedProcess, fork
from tests.support.wait import WITHIN_S

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
"""The variables that a program is handed down."""
_READY = re.compile(rb"ready on ([\d.]+:\d+)\n")


class Process:
    """A running script: where it listens, what it said, how it ended."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess) -> None:
        self._process = process
        self.address = ""
        self._stdout = io.BytesIO()
        self._stderr = io.BytesIO()
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self._stdout)),
            asyncio.create_task(self._read(process.stderr, self._stderr)),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def stdout(self) -> bytes:
        return self._stdout.getvalue()

    @property
    def stderr(self) -> bytes:
        return self._stderr.getvalue()

    @property
    def output(self) -> str:
        return (self.stdout + self.stderr).decode(errors="replace")

    async def ready(self, within_s: float = WITHIN_S) -> str:
        """Wait for `NAME ready on HOST:PORT` on stdout and answer HOST:PORT."""
        try:
            async with asyncio.timeout(within_s):
                while not (match := _READY.search(self.stdout)):
                    if (code := self._process.returncode) is not None:
                        raise AssertionError(f"ended with {code} before it was ready: {self.output}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not ready within {within_s} s, and still running: {self.output}") from None
        self.address = match[1].decode()
        return self.address

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def wait(self, within_s: float | None = WITHIN_S) -> int:
        """Wait for the end, for ever without a limit, and answer the exit code."""
        async with asyncio.timeout(within_s):
            code = await self._process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not help."""
        if self._process.returncode is None:
            self.send(signal.SIGTERM)
        try:
            return await self.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            return await self.wait()

    async def _read(self, stream: asyncio.StreamReader | None, into: io.BytesIO) -> None:
        # Added to what is there: joined anew for each line, the log of ten minutes took two thirds of a core.
        assert stream is not None
        while chunk := await stream.read(65536):
            into.write(chunk)


@asynccontextmanager
async def start(
    module: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, forked: bool = True
) -> AsyncIterator[Process]:
    """Run `python -m MODULE ARGUMENTS`, e.g. `opensqt.connector`; stopped at the end of the block.

    Variables that would change a run (API keys, OPENSQT__...) are not handed down; *env* is. A test that looks for the
    process by its command line has it not *forked*: a fork shows that of the server.
    """
    keep = {name: value for name, value in os.environ.items() if name in KEPT}
    environment = {**keep, "PYTHONUNBUFFERED": "1", **(env or {})}
    if forked and module in PROGRAMS and sys.platform == "linux":
        process = Process(await fork(module, arguments, environment, cwd))
    else:
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        command = (sys.executable, "-m", module, *arguments)
        process = Process(await asyncio.create_subprocess_exec(*command, env=environment, cwd=cwd, **pipes))
    try:
        yield process
    finally:
        await process.stop()


async def run_program(
    *arguments: str | Path, env: Mapping[str, str] | None = None, within_s: float = 2 * WITHIN_S
) -> tuple[int, str]:
    """Run `python ARGUMENTS`, a program of a user's own, to its end; answer its exit code and all that it printed."""
    return await run_command(sys.executable, *arguments, env=env, within_s=within_s)


async def run_command(
    *command: str | Path, env: Mapping[str, str] | None = None, within_s: float, cwd: Path | None = None
) -> tuple[int, str]:
    """Run a command to its end; answer its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")
