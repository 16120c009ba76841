"""Keeps the halts of trading: calls and time come in, the journal remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from math import inf

from opensqt.connector.orders.elapsed import elapsed
from opensqt.connector.orders.halts import Halts
from opensqt.connector.orders.journal import HaltRecord, Journal, JournalError
from opensqt.connector.tasks import Tasks
from opensqt.model.clock import now_ms
from opensqt.model.errors import Unreachable
from opensqt.model.venue import Check, Halt
from opensqt.telemetry import logging

_log = logging.get_logger("connector.halts")


class HaltKeeper:
    """All halts of one connector.

    Args:
        halts: Their rules.
        journal: Remembers them over a restart.
        tasks: Owns the watch.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self, halts: Halts, journal: Journal, tasks: Tasks, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._halts = halts
        self._journal = journal
        self._tasks = tasks
        self._clock_s = clock_s
        self._written: dict[str, HaltRecord] = {}
        """What the journal is known to hold."""
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over the halts of an earlier run, and watch from now on."""
        records = await self._journal.halts()
        self._halts.restore(records)
        self._written.update((one.halt_id, one) for one in records)
        for one in records:
            _log.warning("trading is halted since an earlier run", halt=one.halt_id, symbol=one.symbol or "all")
        self._watching = self._tasks.spawn("halts", self._watch(), forever=True)

    def suspend(self) -> None:
        """Let no halt end by its time from now on: who renews it is not heard any more."""
        if self._watching is not None:
            self._tasks.dismiss(self._watching)

    async def halt(self, asked: HaltRecord) -> Halt:
        """Halt trading, or renew a halt.

        Raises:
            InvalidRequest: A field is out of its bounds, or the id is in use for another halt.
            Unreachable: Trading is halted, but the journal can't be written: a restart would not know of it.
        """
        self._halts.check(asked)
        before = self._halts.find(asked.halt_id)
        record = self._halts.put(replace(asked, since_ms=now_ms()))
        if before is None:
            _log.warning(
                "trading halted",
                halt=record.halt_id,
                symbol=record.symbol or "all",
                ttl_ms=record.ttl_ms,
                why=record.reason,
            )
        if self._written.get(record.halt_id) != record:
            try:
                await self._journal.keep_halt(record)
            except JournalError as error:
                text = f"trading is halted, but the halt can't be written down and may not outlast a restart: {error}"
                raise Unreachable(text) from None
            self._written[record.halt_id] = record
        return _as_halt(record, _left_s(record))

    async def lift(self, records: list[HaltRecord]) -> list[Halt]:
        """Lift halts, and return them.

        Raises:
            Unreachable: The journal can't be written: a restart would halt trading again, so the halt stays.
        """
        lifted = []
        for record in records:
            try:
                await self._journal.drop_halt(record.halt_id)
            except JournalError as error:
                raise Unreachable(f"halt {record.halt_id} stays, for its end can't be written down: {error}") from None
            self._written.pop(record.halt_id, None)
            self._halts.lift(record.halt_id)
            _log.warning("trading resumed", halt=record.halt_id, symbol=record.symbol or "all")
            lifted.append(_as_halt(record, _left_s(record)))
        return lifted

    def held(self, symbol: str = "") -> list[HaltRecord]:
        """Return the halts that stand until they are lifted: those of a symbol, or all."""
        return [one for one, _ in self._halts.standing() if not one.ttl_ms and symbol in ("", one.symbol)]

    def find(self, halt_id: str) -> HaltRecord | None:
        """Return the halt of an id, None when none stands."""
        return self._halts.find(halt_id)

    def standing(self) -> tuple[Halt, ...]:
        """Return every halt."""
        return tuple(_as_halt(record, left_s) for record, left_s in self._halts.standing())

    def checks(self) -> list[Check]:
        """Return a note for the account and for each symbol that is halted; none of them is a failure of ours."""
        by_symbol: dict[str, list[HaltRecord]] = {}
        for one, _ in self._halts.standing():
            by_symbol.setdefault(one.symbol, []).append(one)
        return [
            Check(
                name=f"halt:{symbol}" if symbol else "halt",
                ok=True,
                reason="; ".join(map(_described, records)),
                since_ms=records[0].since_ms,
            )
            for symbol, records in by_symbol.items()
        ]

    async def _watch(self) -> None:
        async for passed_s in elapsed(self._clock_s):
            for record in self._halts.pass_time(passed_s):
                await self._forget(record)

    async def _forget(self, record: HaltRecord) -> None:
        _log.warning("a halt was not renewed and has ended", halt=record.halt_id, symbol=record.symbol or "all")
        self._written.pop(record.halt_id, None)
        try:
            await self._journal.drop_halt(record.halt_id)
        except JournalError as error:
            # A restart would take it for standing, for its time once more.
            _log.error("the end of a halt was not written down", halt=record.halt_id, reason=str(error))


def _described(record: HaltRecord) -> str:
    text = f"trading is halted by {record.client} ({record.halt_id})"
    return f"{text}: {record.reason}" if record.reason else text


def _left_s(record: HaltRecord) -> float:
    return record.ttl_ms / 1000 if record.ttl_ms else inf


def _as_halt(record: HaltRecord, left_s: float) -> Halt:
    return Halt(
        halt_id=record.halt_id,
        client=record.client,
        symbol=record.symbol,
        reason=record.reason,
        since_ms=record.since_ms,
        expires_ms=0 if left_s == inf else now_ms() + round(left_s * 1000),
    )
