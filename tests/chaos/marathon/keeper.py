"""Starts the connector again whenever it ended, as a service manager would, and notes what it did unasked."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator

from tests.chaos.gateway_rig import Gateway
from tests.support import eventually

_AGAIN_S = 1.0
_START_WITHIN_S = 240.0
_UNREACHABLE = 4
_COMPLAINTS = ("call failed unexpectedly", "background task died", "get_status failed unexpectedly")


class Keeper:
    """Keeps one gateway's connector running.

    Args:
        gateway: Started.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.kills = 0
        self.stalls = 0
        self.starts = 1
        self.failed_starts = 0
        self.mistakes: list[str] = []
        self._gateway = gateway

    def kill(self) -> None:
        """End the connector with SIGKILL, if it is there."""
        if self._send(signal.SIGKILL):
            self.kills += 1

    async def stall(self, seconds: float) -> None:
        """Stop the connector for a while, as a machine that swaps does."""
        process = self._gateway.process
        if not self._send(signal.SIGSTOP):
            return
        self.stalls += 1
        await asyncio.sleep(seconds)
        if process is self._gateway.process:
            self._send(signal.SIGCONT)

    async def run(self) -> None:
        """Watch the process, until cancelled."""
        while True:
            code = await self._gateway.gone(within_s=None)
            if code != -signal.SIGKILL:
                self.mistakes.append(f"the connector ended by itself with {code}")
            await eventually(self._starts, within_s=_START_WITHIN_S, every_s=_AGAIN_S, what="a start of the connector")

    async def _starts(self) -> bool:
        self.starts += 1
        try:
            await self._gateway.start(_START_WITHIN_S)
        except AssertionError:
            # While the venue is sick a start may fail, with the code that says so.
            code = await self._gateway.gone()
            self.failed_starts += 1
            if code not in (_UNREACHABLE, -signal.SIGKILL):
                self.mistakes.append(f"the connector did not start: it ended with {code}")
            return False
        return True

    def _send(self, number: signal.Signals) -> bool:
        process = self._gateway.process
        if process is None or process.returncode is not None:
            return False
        process.send(number)
        return True


def complaints(log: str) -> Iterator[str]:
    """Answer the lines of a connector's log that tell of a defect of its own."""
    for line in log.splitlines():
        if line.startswith("Traceback"):
            yield line
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") in _COMPLAINTS:
            yield line
