"""A server in a process of its own: started, asked, measured and ended by the benchmark."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import orjson

_READY = re.compile(rb"ready on ([\d.]+:\d+)")
_TIMEOUT_S = 240


class Server:
    """One running process that serves."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.address = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait for the line that says where it listens."""
        async with asyncio.timeout(_TIMEOUT_S):
            self.address = _match(_READY, await self._line()).decode()

    async def ask(self, **command: Any) -> Any:
        """Have `benchmarks.gateway.serve` do something and answer what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(command) + b"\n")
        await self._process.stdin.drain()
        return orjson.loads(await self._line())

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> None:
        """Stop it in good order, or by force."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            async with asyncio.timeout(15):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a server ended early; it said:\n{self._log.read_text()[-3000:]}")
        return line


@asynccontextmanager
async def running(
    module: str, *arguments: str, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Server]:
    """Run `python -m MODULE ARGUMENTS` in *cwd* until the block is left; what it logs goes to *log*."""
    with log.open("ab") as err:
        process = await _start(module, arguments, err, {**os.environ, **(env or {})}, cwd)
    server = Server(process, log)
    try:
        await server.ready()
        yield server
    finally:
        await server.end()


def resident_mb(pid: int) -> float:
    """Return the memory of a process that is in RAM, in units of 1,000,000 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors(pid: int) -> int:
    """Return how many files and sockets a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _start(
    module: str, arguments: tuple[str, ...], err: IO[bytes], env: Mapping[str, str], cwd: Path | None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=err,
        env=env,
        cwd=cwd,
    )


def _match(pattern: re.Pattern[bytes], line: bytes) -> bytes:
    found = pattern.search(line)
    if found is None:
        raise RuntimeError(f"expected a line that says where it listens, got {line!r}")
    return found[1]
