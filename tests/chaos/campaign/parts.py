"""The connector and the market maker of a campaign: killed, started again, and how long a recovery took."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.marathon.keeper import complaints
from tests.service.grid_rig import KEYS, get
from tests.support import Process, start
from tests.support.blocking import in_thread

_FIRST_AGAIN_S, _LAST_AGAIN_S = 0.1, 60.0
"""How long docker-compose.grpc.yml waits before it starts a program again that ended: twice as long each time."""
_START_WITHIN_S = 240.0
_UNREACHABLE = 4
_KILLED = -signal.SIGKILL
_LOOK_S = 0.05


@dataclass
class Part:
    """A program that is started again whenever it ended, as a service manager would.

    Args:
        module: Of the program.
        arguments: Its flags; with a port of its own each start listens at the same address.
        env: Its variables.
        folder: Where it runs, and where its log is kept.
    """

    module: str
    arguments: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    kills: int = 0
    kills_in_start: int = 0
    starts: int = 0
    failed_starts: int = 0
    mistakes: list[str] = field(default_factory=list)
    process: Process | None = None
    _run: AsyncExitStack | None = None

    @property
    def name(self) -> str:
        """The last part of the module's name."""
        return self.module.rpartition(".")[2]

    async def start(self) -> None:
        """Start it, again and again while it ends with a code that says that its counterpart is not there."""
        again_s = _FIRST_AGAIN_S
        while True:
            process = await self._spawn()
            try:
                await process.ready(_START_WITHIN_S)
                return
            except AssertionError:
                if process.returncode is None:
                    self.mistakes.append(f"{self.name} was not ready within {_START_WITHIN_S:g} s")
                    process.send(signal.SIGKILL)
                self._note_failed_start(await self._close())
                if len(self.mistakes) > 20:
                    raise
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, _LAST_AGAIN_S)

    async def start_and_kill(self, after_s: float) -> None:
        """Start it, and end it with SIGKILL so many seconds later, ready or not."""
        process = await self._spawn()
        await asyncio.sleep(after_s)
        if process.returncode is None:
            process.send(signal.SIGKILL)
        if (code := await self._close()) == _KILLED:
            self.kills_in_start += 1
        else:
            self._note_failed_start(code)

    async def _spawn(self) -> Process:
        self.starts += 1
        stack = AsyncExitStack()
        made = start(self.module, *self.arguments, env=self.env, cwd=self.folder)
        self.process = await stack.enter_async_context(made)
        self._run = stack
        return self.process

    def _note_failed_start(self, code: int) -> None:
        self.failed_starts += 1
        if code not in (_UNREACHABLE, _KILLED):
            self.mistakes.append(f"{self.name} did not start: it ended with {code}")

    async def kill(self) -> None:
        """End it with SIGKILL; one that has ended by itself is a mistake."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send(signal.SIGKILL)
            self.kills += 1
        code = await self._close()
        if code != _KILLED:
            self.mistakes.append(f"{self.name} ended by itself with {code}")

    async def end(self) -> int:
        """End it with SIGTERM, and return its exit code."""
        assert self.process is not None
        self.process.send(signal.SIGTERM)
        return await self._close()

    async def _close(self) -> int:
        assert self.process is not None
        assert self._run is not None
        code = await self.process.wait()
        await self._run.aclose()
        output = self.process.output
        with (self.folder / f"{self.name}.log").open("a", encoding="utf-8") as log:
            log.write(output)
        self.mistakes.extend(complaints(output))
        return code


def make_connector(folder: Path, venue: str, url: str, port: int) -> Part:
    """Return the connector, not started."""
    arguments = ("--exchange", venue, "--base-url", url, "--port", str(port), "--metrics-port", "0")
    journal = ("--journal", str(folder / "journal.db"))
    return Part("opensqt.connector", (*arguments, *journal), {**KEYS, "LOG_LEVEL": "WARNING"}, folder)


def make_maker(folder: Path, address: str, settings: Mapping[str, str]) -> Part:
    """Return the market maker, not started; *settings* are its `OPENSQT__` variables."""
    env = {
        "EXCHANGE_GRPC_ADDRESS": address,
        "OPENSQT__APP__DATABASE_URL": f"sqlite:///{folder}/grid.db",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    return Part("opensqt.market_maker", ("--port", "0"), env, folder)


async def running_after_s(maker: Part, since: float) -> float:
    """Wait until the market maker trades on a newer price, and return the seconds since *since*, a monotonic time."""
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline:
        found, now = await status(maker), time.monotonic()
        if found.get("phase") == "RUNNING" and found["price_age_s"] is not None and found["price_age_s"] < now - since:
            return now - since
        await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"the market maker does not trade: {maker.process and maker.process.output}")


async def status(maker: Part) -> dict[str, Any]:
    """Return /status of the market maker; empty while it does not respond."""
    assert maker.process is not None
    try:
        found: dict[str, Any] = await in_thread(get, maker.process, "/status")
    except OSError:
        return {}
    return found
