"""The dead-machine switch: the venue itself cancels the orders of lease holders when this machine dies.

A lease works only while the connector lives. So while one is held, the venue's own countdown is kept armed wherever its
holder has orders. An order under a lease is sent only once the countdown is armed for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import islice
from typing import Any

from opensqt.connector.orders.countdown_records import ORDERS_KEPT, CountdownRecord, CountdownRecords
from opensqt.connector.orders.countdowns import Countdown
from opensqt.connector.orders.elapsed_countdowns import ElapsedCountdowns
from opensqt.connector.orders.journal import Journal, JournalError
from opensqt.connector.orders.leases import Leases
from opensqt.connector.orders.ownership import OrderOwnership
from opensqt.connector.tasks import Tasks
from opensqt.model.clock import now_ms
from opensqt.model.countdown import ArmedCountdown, CountdownRules, DeadMachineStatus, HasCountdown
from opensqt.model.errors import (
    AccessError,
    BackOff,
    ConfigError,
    ExchangeError,
    RequestError,
    Unreachable,
)
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRef, OrderRequest
from opensqt.model.venue import Check
from opensqt.telemetry import logging

CHECK = "dead_machine"
_log = logging.get_logger("connector.dead_machine")
_TICK_S = 0.25
_LOOK_EVERY_S = 1.0


def seconds_asleep_too() -> float:
    """Return monotonic seconds that go on while the machine sleeps, as the venue's countdown does."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class DeadMachineSwitch:
    """Keeps the venue's countdown armed for the orders of lease holders.

    Args:
        timeout_s: Seconds after the last sign of life at which the venue cancels them; 0 is off.
        exchange: Has the countdown, if its venue has one.
        leases: Say who holds one.
        own: Knows the open orders of each client.
        journal: Remembers what was armed, for the run after a death.
        tasks: Owns the renewal.
        clock_s: Monotonic seconds.
        wall_ms: UTC epoch milliseconds.
    """

    def __init__(
        self,
        timeout_s: int,
        exchange: Exchange,
        leases: Leases,
        own: OrderOwnership,
        journal: Journal,
        tasks: Tasks,
        *,
        clock_s: Callable[[], float] = seconds_asleep_too,
        wall_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._timeout_s = timeout_s
        self._exchange = exchange
        self._venue = exchange if isinstance(exchange, HasCountdown) else None
        self._leases = leases
        self._own = own
        self._records = CountdownRecords(journal)
        self._tasks = tasks
        self._clock_s = clock_s
        self._wall_ms = wall_ms
        self._rules: CountdownRules | None = None
        """None while it is off."""
        self._countdowns: dict[str, Countdown] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._busy: set[str] = set()
        self.elapsed = ElapsedCountdowns(exchange, self._records)
        """Those that ran out."""
        self._guarded: frozenset[str] = frozenset()
        self._next_look_s = 0.0
        self._watching: asyncio.Task[None] | None = None
        self.failures = 0
        """Attempts to arm or to stop a countdown that failed, since the start."""

    async def start(self) -> None:
        """Say what the venue would cancel, report what it canceled, and keep the countdowns armed from now on.

        Raises:
            ConfigError: The setting is on, and the venue has no countdown, or not one of this length.
        """
        records = await self._records.load()
        for record in records:
            if self._wall_ms() >= record.until_ms:
                self._tasks.spawn("countdown-report", self.elapsed.report(record), shared=True)
        if not self._timeout_s:
            return
        if not (await self._exchange.get_exchange_info()).capabilities.trading:
            return
        self._rules = self._check_rules()
        _log.warning(
            "the exchange cancels orders when this machine dies",
            after_s=self._timeout_s,
            cancels=self._rules.cancels,
        )
        for record in records:
            left_s = (record.until_ms - self._wall_ms()) / 1000
            if left_s > 0:
                self._of(record.symbol).adopt(left_s, self._clock_s())
                self._tasks.spawn("countdown-report", self._report_unless_renewed(record), shared=True)
        self._tasks.spawn("countdown-preparation", self._prepare(), shared=True)
        self._watching = self._tasks.spawn("dead-machine", self._watch(), forever=True)

    async def refusals(self, client: str, requests: Sequence[OrderRequest]) -> dict[str, ExchangeError]:
        """Arm what a client's orders need before they are sent, and return the error of each symbol where that failed.

        An order that only reduces a position is never held back.
        """
        if self._rules is None or not self._leases.guards(client):
            return {}
        refused: dict[str, ExchangeError] = {}
        for symbol in {request.symbol for request in requests if not request.reduce_only}:
            countdown = self._of(self._scope(symbol))
            countdown.clients.add(client)
            if not countdown.is_armed(self._clock_s()):
                await self._arm(countdown)
            if not countdown.is_armed(self._clock_s()):
                text = f"not sent: the exchange's countdown can't be armed for {symbol}: {countdown.trouble}"
                refused[symbol] = Unreachable(text, symbol=symbol)
        return refused

    def checks(self) -> list[Check]:
        """Return the check `dead_machine`, while it is on: it fails where a renewal is late, or none succeeded."""
        if self._rules is None:
            return []
        now_s = self._clock_s()
        late = [one for one in self._countdowns.values() if one.trouble and one.clients and one.is_late(now_s)]
        other = [one for one in self._countdowns.values() if one.trouble and one not in late]
        reason = "; ".join(f"{_named(one)}: {one.trouble}" for one in late or other)
        if late:
            return [Check(name=CHECK, ok=False, reason=f"not armed as it should be: {reason}")]
        return [Check(name=CHECK, ok=True, reason=reason)]

    def status(self) -> DeadMachineStatus:
        """Return until when the countdowns are armed, and for whom."""
        now_s = self._clock_s()
        armed = [
            ArmedCountdown(
                symbol=one.symbol,
                armed_until_ms=one.until_ms if one.is_armed(now_s) else 0,
                clients=tuple(sorted(one.clients)),
                trouble=one.trouble,
            )
            for one in sorted(self._countdowns.values(), key=lambda each: each.symbol)
            if one.clients or one.trouble
        ]
        return DeadMachineStatus(
            timeout_s=self._timeout_s if self._rules is not None else 0,
            cancels=self._rules.cancels if self._rules is not None else "",
            countdowns=tuple(armed),
            elapsed=tuple(self.elapsed.latest),
        )

    def left_s(self) -> dict[str, float]:
        """Return the seconds that each countdown still lasts, at least; 0 for one that is not armed."""
        now_s = self._clock_s()
        return {
            one.symbol or "account": max(0.0, one.until_s - now_s) for one in self._countdowns.values() if one.clients
        }

    async def stop(self) -> None:
        """Leave the venue's countdowns as they have to be while no connector runs.

        Where a lease holder has orders they are renewed once: the orders outlive this run by the timeout and no longer,
        unless the next run comes first. All others are stopped.
        """
        if self._watching is not None:
            self._tasks.dismiss(self._watching)
        wanted = self._wanted()
        for symbol in wanted:
            _log.warning(
                "orders of lease holders are left to the exchange's countdown",
                symbol=symbol or "all",
                clients=sorted(wanted[symbol]),
                seconds=self._timeout_s,
            )
        over = [one for one in self._countdowns.values() if one.symbol not in wanted]
        await asyncio.gather(
            *(self._arm(self._of(symbol), anew=True) for symbol in wanted), *(self._stop(one) for one in over)
        )

    def _check_rules(self) -> CountdownRules:
        name, rules = self._exchange.name, self._venue.countdown_rules if self._venue is not None else None
        if rules is None:
            raise ConfigError(
                f"server.dead_machine_s {self._timeout_s}: {name} has no countdown that cancels orders; set it to 0"
            )
        if not rules.shortest_s <= self._timeout_s <= rules.longest_s:
            expected = f"{rules.shortest_s} to {rules.longest_s}, or 0"
            raise ConfigError(f"server.dead_machine_s {self._timeout_s}: expected {expected} for {name}")
        return rules

    async def _prepare(self) -> None:
        if self._venue is None:
            return
        try:
            await self._venue.prepare_countdown(self._timeout_s)
        except Exception as error:  # noqa: BLE001 - arming it fails for the same reason, when it is needed
            ours = isinstance(error, ExchangeError)
            _log.warning("countdown not prepared", reason=str(error), exc_info=None if ours else error)

    async def _watch(self) -> None:
        while True:
            guarded, now_s = self._leases.guarded, self._clock_s()
            if guarded != self._guarded or now_s >= self._next_look_s:
                self._guarded, self._next_look_s = guarded, now_s + _LOOK_EVERY_S
                self._look(now_s)
            await asyncio.sleep(_TICK_S)

    def _look(self, now_s: float) -> None:
        """Start what is due."""
        wanted = self._wanted()
        for symbol, clients in wanted.items():
            self._of(symbol).clients = clients
        for countdown in list(self._countdowns.values()):
            if countdown.ran_out(now_s):
                self._report_elapsed(countdown)
            if countdown.symbol in wanted:
                if countdown.may_be_armed(now_s):
                    self._spawn(countdown, self._arm)
            # A symbol without orders is let go when it would be renewed, for the next order may come soon.
            elif countdown.may_run(now_s) and (countdown.is_due(now_s) or not (self._guarded or countdown.trouble)):
                self._spawn(countdown, self._stop)
            elif countdown.is_forgettable(now_s) and countdown.symbol not in self._busy:
                del self._countdowns[countdown.symbol]

    def _wanted(self) -> dict[str, set[str]]:
        """Return the countdowns that have to be armed now, each with the lease holders that have orders under it."""
        if self._rules is None:
            return {}
        guarded = self._leases.guarded
        wanted: dict[str, set[str]] = {}
        for own in self._own.tracked.values() if guarded else ():
            if own.client in guarded:
                wanted.setdefault(self._scope(own.symbol), set()).add(own.client)
        return wanted

    def _orders_under(self, symbol: str) -> Iterable[OrderRef]:
        guarded = self._leases.guarded
        for name, own in self._own.tracked.items():
            if own.client in guarded and self._scope(own.symbol) == symbol:
                yield OrderRef(symbol=own.symbol, client_order_id=name)

    def _scope(self, symbol: str) -> str:
        return symbol if self._rules is not None and self._rules.by_symbol else ""

    def _of(self, symbol: str) -> Countdown:
        if symbol not in self._countdowns:
            self._countdowns[symbol] = Countdown(symbol, self._timeout_s)
        return self._countdowns[symbol]

    def _spawn(self, countdown: Countdown, work: Callable[[Countdown], Coroutine[Any, Any, None]]) -> None:
        if countdown.symbol in self._busy:
            return
        self._busy.add(countdown.symbol)

        async def run() -> None:
            try:
                await work(countdown)
            finally:
                self._busy.discard(countdown.symbol)

        self._tasks.spawn("countdown", run(), shared=True)

    async def _arm(self, countdown: Countdown, *, anew: bool = False) -> None:
        """Arm or renew a countdown; nothing is sent where somebody else just did, unless *anew*."""
        async with self._locks.setdefault(countdown.symbol, asyncio.Lock()):
            if not anew and not countdown.may_be_armed(self._clock_s()):
                return
            sent_s, sent_ms = self._clock_s(), self._wall_ms()
            if not await self._send(countdown, self._timeout_s):
                return
            countdown.armed(sent_s, sent_ms)
            countdown.orders = tuple(islice(self._orders_under(countdown.symbol), ORDERS_KEPT))
        try:
            await self._records.keep(countdown.symbol, countdown.until_ms, countdown.orders)
        except JournalError as error:
            _log.error("countdown not written down", symbol=countdown.symbol, reason=str(error))

    async def _stop(self, countdown: Countdown) -> None:
        """Stop a countdown that nobody needs, so that it cancels no order that may stay."""
        async with self._locks.setdefault(countdown.symbol, asyncio.Lock()):
            if countdown.symbol in self._wanted():
                return
            countdown.stopping()
            countdown.clients = set()
            if not await self._send(countdown, 0):
                return
            countdown.stopped(self._clock_s())
        try:
            await self._records.drop(countdown.symbol)
        except JournalError as error:
            _log.error("the end of a countdown was not written down", symbol=countdown.symbol, reason=str(error))

    async def _send(self, countdown: Countdown, timeout_s: int) -> bool:
        """Send one attempt; return whether the venue accepted it."""
        if self._venue is None:
            return False
        sent_s = self._clock_s()
        try:
            async with asyncio.timeout(self._timeout_s / 3):
                await self._venue.set_countdown(countdown.symbol, timeout_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the countdown can't be relied on, and the check says so
            self.failures += 1
            known = isinstance(error, (ExchangeError, TimeoutError))
            reason = str(error) if isinstance(error, ExchangeError) else f"no response ({type(error).__name__})"
            if not countdown.trouble:
                what = "armed" if timeout_s else "stopped"
                _log.warning(
                    f"countdown could not be {what}",
                    symbol=countdown.symbol or "all",
                    reason=reason,
                    exc_info=None if known else error,
                )
            refused = isinstance(error, (RequestError, AccessError, BackOff, Unreachable))
            may_arrive = bool(timeout_s) and not refused
            countdown.failed(sent_s, self._clock_s(), reason, may_arrive=may_arrive)
            return False
        if countdown.failures:
            _log.info("countdown accepted again", symbol=countdown.symbol or "all", failures=countdown.failures)
        return True

    async def _report_unless_renewed(self, before: CountdownRecord) -> None:
        """Report a countdown of the run before, if this run did not renew it in time."""
        await asyncio.sleep(max(0.0, (before.until_ms - self._wall_ms()) / 1000))
        now = self._countdowns.get(before.symbol)
        if now is None or not now.until_ms or now.until_ms - self._timeout_s * 1000 > before.until_ms:
            await self.elapsed.report(before)

    def _report_elapsed(self, countdown: Countdown) -> None:
        """Report that the venue canceled orders though this process lives: it stood still, or reached nobody."""
        ended = CountdownRecord(
            symbol=countdown.symbol,
            until_ms=countdown.until_ms,
            orders=(*countdown.orders, *self._orders_under(countdown.symbol)),
        )
        countdown.until_ms = 0
        self._tasks.spawn("countdown-report", self.elapsed.report(ended), shared=True)


def _named(countdown: Countdown) -> str:
    return countdown.symbol or "the account"
