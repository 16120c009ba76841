"""The account stream: kept connected, verified by queries, and replaced when an update is overdue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from opensqt.model.account import AccountNotice, Position
from opensqt.model.errors import ExchangeError, RequestError, Unreachable, VenueError
from opensqt.model.order import Fill, OrderUpdate
from opensqt.model.venue import Channel
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.account.state import AccountState
from opensqt.venues.events import (
    AccountModeChange,
    BalanceChange,
    BalancePending,
    Event,
    FillsPending,
    FundingAnnounced,
    LeverageChange,
    StreamExpired,
    StreamReady,
)
from opensqt.venues.frames import FRAMES_CHECK
from opensqt.venues.health import BackgroundTasks, Health, in_ms
from opensqt.venues.ratelimit.limiter import in_lane
from opensqt.venues.ratelimit.window import Lane
from opensqt.venues.rows import RowError
from opensqt.venues.transport.retry import retry_start_step
from opensqt.venues.transport.subscription import QUERY_ERRORS, RETRYABLE_ERRORS, VenueSubscription
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_CHECK = "private_stream"
_RECONCILIATION_CHECK = "reconciliation"
_MODE_CHECK = "account_mode"
_ORDERS, _POSITIONS, _ACCOUNT = _CHANNELS = ("orders", "positions", "account")
REFUSAL_COUNTS_S = 60.0
"""Seconds after which a refused order no longer means that the key may not trade. Only the next order could show it."""
_START_TIMEOUTS = 3
"""Number of request timeouts that the first connection may take."""
_RETRY_S = 0.5
_ACCOUNT_EVERY_S = 1.0


class AccountStream:
    """Keeps the account's state true.

    Args:
        venue: Subscribes and sends the queries.
        client: The ccxt client, to abort a connection.
        state: Receives the events of the stream and reconciles with queries.
        health: Receives the check `private_stream`.
        tasks: Owns the loops.
        on_funding: Called when funding was paid, and when it may have been paid without a connection.
    """

    def __init__(
        self,
        venue: Venue,
        client: Any,
        state: AccountState,
        health: Health,
        tasks: BackgroundTasks,
        on_funding: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._client = client
        self._state = state
        self._health = health
        self._tasks = tasks
        self._on_funding = on_funding
        self._socket: Any = None
        self._ready = False
        self._connected = asyncio.Event()
        self._resync = asyncio.Event()
        self._balance_changed = asyncio.Event()
        self._fills_pending: asyncio.Queue[str] = asyncio.Queue()
        self._buffered: list[Event] | None = []
        """Events that arrived before the first snapshot; None after it."""
        self._last_event_s: dict[str, float] = {}
        """Time of the last event of each channel."""
        self._overdue_since_s: dict[str, float] = {}
        """Time since which a channel has not published what a response of the venue reported already."""
        self._verified_s = time.monotonic()
        """Time of the last event or reconciliation."""
        self._unverified_reason = ""
        """Reason for which the previous connection was replaced; cleared once this one is verified."""
        self._subscription = VenueSubscription(_CHECK, self._watch, on_lost=self._on_disconnected)
        health.add_probe(_CHECK, self._stale_reason)

    async def start(self) -> None:
        """Connect, load the first snapshot, and keep the state true from then on.

        Raises:
            Unreachable: The stream could not be connected in time.
        """
        self._health.set(_CHECK, False, "connecting")
        self._tasks.start("private", self._subscription.run())
        try:
            async with asyncio.timeout(self._venue.settings.request_timeout_s * _START_TIMEOUTS):
                await self._connected.wait()
        except TimeoutError:
            raise Unreachable(f"the account stream of {self._venue.name} could not be connected") from None
        await retry_start_step(self._state.load)
        buffered, self._buffered = self._buffered or [], None
        for event in buffered:
            self._apply(event)
        self._resync.clear()
        self._verified_s = time.monotonic()
        self._health.set(_CHECK, True)
        self._tasks.start("reconcile", self._reconcile())
        self._tasks.start("balance", self._refresh_balance())
        self._tasks.start("key", self._renew_key())
        self._tasks.start("fills", self._query_fills())

    async def _watch(self) -> None:
        # Without the stream no cancel is confirmed, so the requests of the connection must not wait behind queries.
        with in_lane(Lane.CANCEL):
            await self._venue.watch_private()

    def on_connected(self, socket: Any) -> None:
        """Use a new connection, if it is the account's."""
        if not self._venue.is_private(socket.url):
            return
        self._socket = socket
        self._ready = False
        self._overdue_since_s.clear()
        if not self._venue.announces_ready:
            self._on_subscribed()

    def handle(self, event: Event, socket: Any) -> None:
        """Handle an event of the stream."""
        channel = _channel_of(event)
        self._verified_s = time.monotonic()
        if channel:
            self._last_event_s[channel] = self._verified_s
            self._unverified_reason = ""
            self._overdue_since_s.pop(channel, None)
        if isinstance(event, StreamExpired):
            # A second notice of the same end arrives over a connection that was aborted already.
            if socket is self._socket:
                self._replace("its key expired")
        elif isinstance(event, StreamReady):
            if socket is self._socket:
                self._on_subscribed()
        elif self._buffered is not None:
            self._buffered.append(event)
        else:
            self._apply(event)

    def expect(self, channel: str = _ORDERS, since_s: float | None = None) -> None:
        """Expect an event on a channel, because a response reported a change that the channel must publish too.

        Args:
            channel: The channel.
            since_s: Monotonic time of the change. Any event since then satisfies the expectation.
        """
        now_s = time.monotonic()
        if self._last_event_s.get(channel, -inf) <= (now_s if since_s is None else since_s):
            self._overdue_since_s.setdefault(channel, now_s)

    def reconnect(self) -> None:
        """Connect again with the key that is in use now, and reconcile afterwards."""
        self._replace("reconnecting with another key")

    def channels(self) -> list[Channel]:
        """Return whether each channel is connected, and the age of its last event."""
        now_s = time.monotonic()
        return [
            Channel(
                name=name,
                connected=self._ready,
                data_age_ms=in_ms(now_s - self._last_event_s[name]) if name in self._last_event_s else None,
            )
            for name in _CHANNELS
        ]

    def _on_subscribed(self) -> None:
        """Rely on the connection from now on, and reconcile what was missed before."""
        self._ready = True
        self._subscription.reset_backoff()
        if self._connected.is_set():
            # What was paid without a connection was not announced.
            self._on_funding()
        self._connected.set()
        self._resync.set()

    def _apply(self, event: Event) -> None:
        if isinstance(event, OrderUpdate):
            self._state.apply_order(event.order, event.fill)
        elif isinstance(event, Fill):
            if not self._state.apply_fill(event):
                self._fills_pending.put_nowait(event.symbol)
        elif isinstance(event, FillsPending):
            self._fills_pending.put_nowait(event.symbol)
        elif isinstance(event, Position):
            self._state.apply_position(event)
        elif isinstance(event, BalanceChange):
            self._state.apply_balance(event)
            self._balance_changed.set()
        elif isinstance(event, BalancePending):
            self._balance_changed.set()
        elif isinstance(event, AccountNotice):
            self._state.apply_notice(event)
        elif isinstance(event, FundingAnnounced):
            self._on_funding()
        elif isinstance(event, LeverageChange):
            self._state.apply_leverage(event.symbol, event.leverage)
        elif isinstance(event, AccountModeChange):
            # What is available, and what an order needs, are no longer what they were.
            _log.warning("the mode of the account was switched", venue=self._venue.name, mode=event.mode)
            self._health.set(_MODE_CHECK, True, f"switched while this runs: {event.mode}")
            self._state.apply_account_mode(event.mode)
            self._balance_changed.set()

    def _replace(self, reason: str) -> None:
        """Abort the connection. The subscription makes a new one, and the resync after it finds what was missed."""
        socket, self._socket = self._socket, None
        self._ready = False
        self._overdue_since_s.clear()
        self._health.set(_CHECK, False, reason)
        if socket is not None:
            self._client.abort_connection(socket)

    def _on_disconnected(self, reason: str) -> None:
        self._socket = None
        self._ready = False
        self._health.set(_CHECK, False, reason)

    async def _reconcile(self) -> None:
        """Reconcile after each reconnect, and every few seconds, as a single frame may be lost unnoticed."""
        settings = self._venue.settings
        delay_s = settings.reconcile_interval_s
        while True:
            try:
                async with asyncio.timeout(delay_s):
                    await self._resync.wait()
            except TimeoutError:
                self._replace_if_overdue()
            after_reconnect = self._resync.is_set()
            self._resync.clear()
            # A reconciliation without a stream, or as the stream reconnects, says nothing about the stream.
            verifies_stream = self._ready and not after_reconnect
            known, queried_s = dict(self._state.missed_updates), time.monotonic()
            try:
                await self._state.reconcile(full=after_reconnect)
            except QUERY_ERRORS as error:
                own = not isinstance(error, (*RETRYABLE_ERRORS, RowError))
                _log.warning("reconciliation failed", error=redact(repr(error)), exc_info=error if own else None)
                if not isinstance(error, RETRYABLE_ERRORS) or isinstance(error, RequestError | VenueError):
                    # No outage, which other checks report: it will fail again.
                    self._health.set(_RECONCILIATION_CHECK, False, repr(error))
                delay_s = max(_RETRY_S, getattr(error, "retry_after_s", None) or 0)
                if after_reconnect:
                    await asyncio.sleep(delay_s)
                    self._resync.set()
                continue
            delay_s = settings.reconcile_interval_s
            self._after_reconcile(known, queried_s, verifies_stream=verifies_stream)

    def _after_reconcile(self, known: Mapping[str, int], queried_s: float, *, verifies_stream: bool) -> None:
        """Update the stream's health by what a reconciliation found that the stream had not published."""
        self._verified_s = time.monotonic()
        self._health.forget(_RECONCILIATION_CHECK)
        self._health.forget(FRAMES_CHECK)
        self._clear_credentials_check()
        late = [channel for channel, missed in self._state.missed_updates.items() if missed != known.get(channel, 0)]
        if verifies_stream:
            for channel in late:
                self.expect(channel, queried_s)
            if not late and not self._overdue_since_s:
                self._unverified_reason = ""
        if self._ready and not self._resync.is_set():
            self._health.set(_CHECK, not self._unverified_reason, self._unverified_reason)

    def _clear_credentials_check(self) -> None:
        """Set the credentials check to ok, because queries are signed. They do not prove the right to trade."""
        if time.monotonic() - self._venue.rest.change_refused_s > REFUSAL_COUNTS_S:
            self._health.set("credentials", True)

    def _stale_reason(self) -> str:
        """Return why the stream is not known to be fresh; empty while it is."""
        settings, now_s = self._venue.settings, time.monotonic()
        if self._ready and (overdue := self._overdue()):
            return overdue
        age_s = now_s - self._verified_s
        if age_s <= max(settings.stale_after_s, 2 * settings.reconcile_interval_s):
            return ""
        return f"no data and no reconciliation for {age_s:.0f} s"

    def _replace_if_overdue(self) -> None:
        """Replace a connection that has not published what a response of the venue reported."""
        if overdue := self._overdue():
            self._unverified_reason = f"replaced, and no update since: {overdue}"
            self._replace(overdue)

    def _overdue(self) -> str:
        """Return which channel has an overdue update, and for how long; empty when none has."""
        now_s, stale_after_s = time.monotonic(), self._venue.settings.stale_after_s
        for channel, since_s in self._overdue_since_s.items():
            if now_s - since_s > stale_after_s:
                return f"{channel}: no update for {now_s - since_s:.0f} s though the venue reported a change"
        return ""

    async def _refresh_balance(self) -> None:
        """Query the available balance after the balance changed, at most once a second."""
        while True:
            await self._balance_changed.wait()
            self._balance_changed.clear()
            try:
                await self._state.refresh_account()
            except QUERY_ERRORS as error:
                _log.warning("balance query failed", error=redact(str(error)))
            await asyncio.sleep(_ACCOUNT_EVERY_S)

    async def _query_fills(self) -> None:
        """Query the fills that the stream reports only in part. The reconciliation repairs what fails here."""
        while True:
            symbols = {await self._fills_pending.get()}
            while not self._fills_pending.empty():
                symbols.add(self._fills_pending.get_nowait())
            for symbol in sorted(symbols):
                try:
                    await self._state.query_fills(symbol)
                except QUERY_ERRORS as error:
                    _log.warning("fills query failed", symbol=symbol, error=redact(repr(error)))

    async def _renew_key(self) -> None:
        """Keep the stream's key alive. If the venue no longer knows the key, replace the connection and the key."""
        while True:
            await asyncio.sleep(self._venue.settings.key_renewal_s)
            try:
                await self._venue.renew_key()
            except Unreachable as error:
                _log.warning("could not renew the account stream's key", error=redact(str(error)))
            except ExchangeError as error:
                self._replace(f"its key could not be renewed: {redact(str(error))}")


def _channel_of(event: Event) -> str:
    """Return the channel of an event; empty for an event about the connection itself."""
    if isinstance(event, OrderUpdate | Fill | FillsPending):
        return _ORDERS
    if isinstance(event, Position):
        return _POSITIONS
    return _ACCOUNT if isinstance(event, BalanceChange | BalancePending | AccountNotice) else ""
