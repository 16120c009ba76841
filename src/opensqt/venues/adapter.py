"""The Exchange protocol over any venue: puts the parts together that the five venues share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Self

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.client_context import current_client
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import DuplicateOrder, ExchangeError, InvalidRequest, Unreachable, Unsupported
from opensqt.model.funding import FundingPayment
from opensqt.model.market import DEFAULT_DEPTH, INTERVALS_MS, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import POSITIONS_CHECK, ExchangeInfo, ExchangeStatus, MarginModeScope, RateBudget, RateLimit
from opensqt.telemetry.logging import register_secrets
from opensqt.venues.account.funding import FundingPayments
from opensqt.venues.account.orders import OrderEntry
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.settings import SettingChanges
from opensqt.venues.account.settings_gate import SettingsGate
from opensqt.venues.account.state import AccountState
from opensqt.venues.account.stream import AccountStream
from opensqt.venues.credentials import CredentialsRenewal
from opensqt.venues.events import Event, MarketEvent
from opensqt.venues.frames import EVENTS_CHECK, MARKET, PRIVATE, FrameReports
from opensqt.venues.health import BackgroundTasks, Health
from opensqt.venues.housekeeping import Housekeeping
from opensqt.venues.market.data import MarketData
from opensqt.venues.metrics import VenueMetrics
from opensqt.venues.ratelimit.limiter import RateLimiter, in_lane
from opensqt.venues.ratelimit.window import Lane
from opensqt.venues.rows import RowError
from opensqt.venues.startup import Startup
from opensqt.venues.transport.ccxt_client import Callbacks
from opensqt.venues.transport.rest import Rest
from opensqt.venues.venue import Venue

_MAX_CANDLES = 1_000
_SYMBOLS_CHECK = "symbols"
_KINDS_NAMED = 10


class VenueAdapter:
    """One account on one venue, as `opensqt.model.exchange.Exchange`.

    Args:
        venue_type: The class of the venue.
        settings: The account.
        rate_limiter: Limits the requests; None makes one that follows the settings. Tests give it their own clock.
    """

    def __init__(
        self, venue_type: type[Venue], settings: VenueSettings, *, rate_limiter: RateLimiter | None = None
    ) -> None:
        register_secrets(
            *(value.get_secret_value() for value in (settings.api_key, settings.secret, settings.passphrase))
        )
        self._settings = settings
        self.health = Health(venue_type.name)
        self.tasks = BackgroundTasks(self.health)
        self._rate_limiter = rate_limiter or RateLimiter(
            venue_type.rate_limits, queue_timeout_s=settings.request_timeout_s
        )
        self.venue_metrics = VenueMetrics()
        """Metrics of the requests and connections to the venue."""
        self.venue_metrics.queued = self._rate_limiter.queued_by_lane
        self._type = venue_type
        self.venue = self._make_venue(settings, self.health)
        self.client = self.venue.client
        self.account_state = AccountState(self.venue)
        self._queries = AccountQueries(self.venue, self.account_state)
        self.market = MarketData(self.venue, self.client, self.health, self.tasks)
        self._funding = FundingPayments(self.venue, self.health, self.client.nonce)
        self._account_stream = AccountStream(
            self.venue, self.client, self.account_state, self.health, self.tasks, self._funding.announce
        )
        self._frames = FrameReports(venue_type.name, self.health, self.venue.set_aside, self.venue_metrics)
        self.housekeeping = Housekeeping(self.venue, self.tasks, expire_reports=self._frames.expire)
        settings_gate = SettingsGate(settings.request_timeout_s)
        self._setting_changes = SettingChanges(self.venue, self.account_state, self._queries, settings_gate, self.tasks)
        self.order_entry = OrderEntry(
            self.venue,
            self.account_state,
            settings_gate,
            expect_stream=self._account_stream.expect,
            on_rules_stale=self.housekeeping.reload_rules,
        )
        self._renewal = CredentialsRenewal(
            self._make_venue, self.venue, self.account_state, self.health, self._account_stream.reconnect
        )
        self.client.callbacks = Callbacks(
            frame=self._on_frame, connected=self._on_connected, malformed=self._on_malformed
        )
        self.venue.on_unknown_symbol = self.housekeeping.reload_rules
        self.venue.set_aside.on_change = self._report_set_aside
        self.venue_metrics.unreadable_rows = self.venue.set_aside.total
        self.venue_metrics.rows_set_aside = self.venue.set_aside.by_kind
        self.venue_metrics.account_notices = self.account_state.notices.total
        self.venue_metrics.untradable_held = self.account_state.untradable_held
        self.venue_metrics.unhandled_events = self.venue.unknown_events
        self._closed = False

    @property
    def name(self) -> str:
        """Name of the venue."""
        return self.venue.name

    @property
    def malformed_frames(self) -> int:
        """Number of frames that could not be read, since the start."""
        return self.venue_metrics.malformed_frames.total()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Load the rules, verify the credentials, load the account's state and keep it true from then on.

        Raises:
            ExchangeError: A step of the start failed; the adapter is closed.
        """
        try:
            await Startup(self.venue, self.health).run()
            if not self._settings.public_only:
                await self._account_stream.start()
                if self.venue.capabilities.funding_payments:
                    self.tasks.start("funding", self._funding.run())
            self.market.start()
            self.housekeeping.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release everything. Orders stay at the venue. Idempotent."""
        if self._closed:
            return
        self._closed = True
        closed = Unreachable(f"the connection to {self.name} was closed")
        try:
            await self.tasks.close()
        finally:
            # Also when a close is cancelled: nothing closes the connections later.
            self.market.close(closed)
            for feed in (self.account_state.orders, self.account_state.positions, self.account_state.accounts):
                feed.close(closed)
            self._funding.feed.close(closed)
            await self.client.close()

    async def renew_credentials(self, settings: VenueSettings) -> bool:
        """Use the key of *settings* from now on, without a restart; see `CredentialsRenewal.renew`."""
        return await self._renewal.renew(settings)

    # Orders

    async def place_order(self, request: OrderRequest) -> Order:
        """Send one order."""
        self._require_account()
        with in_lane(Lane.ORDER):
            return await self.order_entry.place(request)

    def order_denial(self, request: OrderRequest) -> ExchangeError | None:
        """Return the local rule that an order breaks, or None; an id that was used before is left to the placing."""
        denial = self.order_entry.denial(request)
        return None if isinstance(denial, DuplicateOrder) else denial

    async def amend_order(self, request: AmendRequest) -> Order:
        """Amend one open order in place."""
        self._require_account(request.order.symbol)
        with in_lane(Lane.ORDER):
            return await self.order_entry.amend(request)

    def known_order(self, ref: OrderRef) -> Order | None:
        """Return the known state of an order without a query, or None."""
        return self.account_state.tracker.find(ref)

    def amend_denial(self, request: AmendRequest, order: Order) -> ExchangeError | None:
        """Return the local rule that an amendment of an order breaks, or None."""
        return self.order_entry.amend_denial(request, order)

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders; return the results in their order."""
        self._require_account()
        with in_lane(Lane.ORDER):
            return await self.order_entry.place_batch(requests)

    async def cancel_order(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        self._require_account()
        with in_lane(Lane.CANCEL):
            return await self.order_entry.cancel(ref)

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders; return the results in their order."""
        self._require_account()
        with in_lane(Lane.CANCEL):
            return await self.order_entry.cancel_batch(refs)

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """Cancel every open order of a symbol."""
        self._require_account(symbol)
        with in_lane(Lane.CANCEL):
            return await self.order_entry.cancel_all(symbol)

    @property
    def countdown_rules(self) -> CountdownRules | None:
        """The venue's countdown that cancels orders when nobody renews it."""
        return None if self._settings.public_only else self.venue.countdown_rules

    async def prepare_countdown(self, timeout_s: int) -> None:
        """Do at the start what takes the venue a while to apply."""
        with in_lane(Lane.CANCEL):
            await self.venue.prepare_countdown(timeout_s)

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Let the venue cancel orders in *timeout_s* seconds, unless this is called again before; 0 stops that."""
        with in_lane(Lane.CANCEL):
            await self.venue.set_countdown(symbol, timeout_s)

    async def get_order(self, ref: OrderRef) -> Order:
        """Query one order."""
        self._require_account(ref.symbol)
        return await self._queries.order(ref)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders."""
        self._require_account(symbol)
        return await self._queries.open_orders(symbol)

    # The account

    async def get_account(self) -> Account:
        """Query the balance."""
        self._require_account()
        return await self._queries.account()

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """Query the positions."""
        self._require_account(symbol)
        return await self._queries.positions(symbol)

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """Query the account's trades since a time."""
        self._require_account(symbol)
        return await self._queries.fills(symbol, since_ms)

    async def list_funding_payments(self, symbol: str = "", *, since_ms: int) -> list[FundingPayment]:
        """Query the account's funding payments since a time."""
        self._require_funding(symbol)
        found = await self.venue.parse_or_raise(self.venue.funding_payments(symbol, since_ms))
        return [payment for payment in found if payment.event_time_ms >= since_ms]

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, and return what the venue then reports."""
        self._require_account()
        self.venue.unified(symbol)
        return await self._setting_changes.set_leverage(symbol, leverage)

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """Set the margin mode of a symbol or of the account, and return what the venue then reports."""
        self._require_account(symbol)
        return await self._setting_changes.set_margin_mode(symbol, mode)

    async def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """Switch the position mode of the account, and return what the venue then reports."""
        self._require_account()
        return await self._setting_changes.set_position_mode(mode)

    # The market

    async def get_latest_price(self, symbol: str) -> Price:
        """Return the best bid and ask: the streamed price while it is fresh, else a queried one."""
        self.venue.unified(symbol)
        streamed = self.market.fresh_price(symbol)
        return streamed if streamed is not None else await self.venue.parse_or_raise(self.venue.price(symbol))

    async def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """Query candles."""
        self.venue.unified(symbol)
        self._check_interval(interval)
        if not 1 <= limit <= _MAX_CANDLES:
            raise InvalidRequest(f"limit {limit}: expected 1 to {_MAX_CANDLES}", symbol=symbol)
        return await self.venue.parse_or_raise(self.venue.candles(symbol, interval, limit, start_ms, end_ms))

    async def get_exchange_info(self) -> ExchangeInfo:
        """Return the venue's name, capabilities and symbol rules."""
        capabilities = self.venue.capabilities
        shown = self.account_state.untradable_held().keys() | set(self._settings.symbols)
        if self._settings.public_only:
            capabilities = replace(
                capabilities,
                trading=False,
                amend_order=False,
                set_leverage=False,
                margin_mode_scope=MarginModeScope.NONE,
                set_position_mode=False,
                funding_payments=False,
            )
        if self.venue.public is not None:
            depth = self.venue.public.order_book_depth
            capabilities = replace(capabilities, order_book_depth=depth, public_trades=True, mark_price=True)
        return ExchangeInfo(
            name=self.name,
            exchange_type="usdt_perpetual",
            capabilities=capabilities,
            symbols=tuple(rules for rules in self.venue.rules.values() if rules.tradable or rules.symbol in shown),
            testnet=self._settings.testnet,
            simulated=bool(self._settings.base_url),
            position_mode=self.venue.position_mode,
        )

    async def get_status(self) -> ExchangeStatus:
        """Return whether trading is possible now, and the reasons if it is not."""
        self._report_untradable_held()
        self._report_unknown_events()
        self._report_unread_positions()
        account_channels = [] if self._settings.public_only else self._account_stream.channels()
        return replace(
            self.health.evaluate(),
            channels=(*account_channels, *self.market.channels()),
            clock_offset_ms=self.client.clock_offset_ms,
            account_mode=self.venue.account_mode,
            notices=self.account_state.notices.current(),
        )

    async def get_rate_budget(self) -> RateBudget:
        """Return what is left of the venue's rate limits, and the calling client's part in their use."""
        client = current_client()
        snapshot = self._rate_limiter.snapshot(client)
        limits = [
            RateLimit(
                name=name,
                limit=window.limit,
                left=window.left,
                window_s=window.window_s,
                used_by_client=window.used_by_client,
            )
            for name, window in snapshot.windows.items()
        ]
        return RateBudget(limits=tuple(limits), silent_s=snapshot.paused_s, client=client, waiting=snapshot.queued)

    # Streams

    def subscribe_price(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[Price]:
        """Stream the best bid and ask."""
        self.venue.unified(symbol)
        return self.market.prices(symbol).subscribe(cursor=cursor)

    def subscribe_klines(self, symbol: str, interval: str, *, cursor: Cursor | None = None) -> Stream[Candle]:
        """Stream candles as they form."""
        self.venue.unified(symbol)
        self._check_interval(interval)
        return self.market.candles(symbol, interval).subscribe(cursor=cursor)

    def subscribe_order_book(
        self, symbol: str, depth: int = DEFAULT_DEPTH, *, cursor: Cursor | None = None
    ) -> Stream[OrderBook]:
        """Stream the best levels of the order book."""
        self.venue.unified(symbol)
        public = self.venue.public
        if public is not None and not 1 <= depth <= public.order_book_depth:
            raise InvalidRequest(f"depth {depth}: expected 1 to {public.order_book_depth}", symbol=symbol)
        return self.market.order_book(symbol, depth).subscribe(cursor=cursor)

    def subscribe_trades(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[PublicTrade]:
        """Stream the trades of the market."""
        self.venue.unified(symbol)
        return self.market.trades(symbol).subscribe(cursor=cursor)

    def subscribe_mark_price(self, symbol: str, *, cursor: Cursor | None = None) -> Stream[MarkPrice]:
        """Stream the mark price and the funding rate."""
        self.venue.unified(symbol)
        return self.market.mark_price(symbol).subscribe(cursor=cursor)

    def subscribe_orders(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[OrderUpdate]:
        """Stream orders and fills."""
        self._require_account(symbol)
        where = (lambda update: update.order.symbol == symbol) if symbol else None
        return self.account_state.orders.subscribe(cursor=cursor, where=where)

    def subscribe_account(self, *, cursor: Cursor | None = None) -> Stream[Account]:
        """Stream the balance."""
        self._require_account()
        return self.account_state.accounts.subscribe(cursor=cursor)

    def subscribe_positions(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[Position]:
        """Stream positions."""
        self._require_account(symbol)
        where = (lambda position: position.symbol == symbol) if symbol else None
        return self.account_state.positions.subscribe(cursor=cursor, where=where)

    def subscribe_funding_payments(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[FundingPayment]:
        """Stream funding payments."""
        self._require_funding(symbol)
        where = (lambda payment: payment.symbol == symbol) if symbol else None
        return self._funding.feed.subscribe(cursor=cursor, where=where)

    # Frames

    def _on_connected(self, socket: Any) -> None:
        self.venue_metrics.connections[self._stream_of(socket)] += 1
        self._account_stream.on_connected(socket)

    def _on_frame(self, socket: Any, frame: Any) -> bool:
        try:
            public = self.venue.public
            parsed: Iterable[Event] | None = None
            if public is not None and not self.venue.is_private(socket.url):
                parsed = public.parse(frame)
            if parsed is None:
                parsed = self.venue.parse(frame)
            if parsed is None:
                return False
            events = list(parsed)
        except RowError as error:
            self._frames.unreadable(self._stream_of(socket), *self.venue.frame_identity(frame), error, frame)
            return True
        except Exception as error:  # noqa: BLE001 - whatever a bad frame can cause is a RowError, so this is our own
            self._frames.own_error(self._stream_of(socket), error)
            return True
        try:
            for event in events:
                if isinstance(event, MarketEvent):
                    self.market.handle(event, socket)
                else:
                    self._account_stream.handle(event, socket)
        except Exception as error:  # noqa: BLE001 - an event is one of ours
            self._frames.own_error(self._stream_of(socket), error)
        return True

    def _on_malformed(self, socket: Any, text: str) -> None:
        self._frames.unreadable(self._stream_of(socket), "", "", "expected a frame of the venue", text)

    def _stream_of(self, socket: Any) -> str:
        return PRIVATE if self.venue.is_private(socket.url) else MARKET

    def _report_set_aside(self, rows: str) -> None:
        """Report the rows that are set aside. Everything else goes on, so the check does not fail."""
        if rows:
            self.health.set("rows", True, rows)
        else:
            self.health.forget("rows")

    def _report_untradable_held(self) -> None:
        """Report what is held and does not trade. Everything else goes on, so the check does not fail."""
        held = self.account_state.untradable_held()
        if held:
            named = ", ".join(f"{symbol} ({state})" for symbol, state in held.items())
            self.health.set(_SYMBOLS_CHECK, True, f"held or with open orders, and not tradable: {named}")
        else:
            self.health.forget(_SYMBOLS_CHECK)

    def _report_unread_positions(self) -> None:
        """Report what may be held and has no known size: what is at risk is not known either, so the check fails."""
        if unread := self.account_state.unread_positions:
            self.health.set(POSITIONS_CHECK, False, f"held, and its size can't be read: {'; '.join(unread)}")
        else:
            self.health.forget(POSITIONS_CHECK)

    def _report_unknown_events(self) -> None:
        """Report the kinds of events that the adapter does not know. They may be new and of no use to it."""
        kinds = ", ".join(f"{kind} ({count})" for kind, count in self.venue.unknown_events.most_common(_KINDS_NAMED))
        if kinds:
            self.health.set(EVENTS_CHECK, True, f"not known to the adapter: {kinds}")

    def _make_venue(self, settings: VenueSettings, health: Health) -> Venue:
        """Make a connection to the venue. All of them share one rate limiter."""
        client = self._type.make_client(settings)
        # ccxt would load currencies with every market: signed calls that trading does not need.
        client.has["fetchCurrencies"] = False
        client.rate_limiter, client.venue_metrics = self._rate_limiter, self.venue_metrics
        rest = Rest(
            client,
            self._type.codes,
            health,
            self._rate_limiter,
            recv_window_ms=settings.recv_window_ms,
            clock_interval_s=settings.clock_interval_s,
        )
        return self._type(settings, client, rest)

    def _require_funding(self, symbol: str) -> None:
        self._require_account(symbol)
        if not self.venue.capabilities.funding_payments:
            raise Unsupported(f"{self.name} does not report the funding payments of this kind of account here")

    def _require_account(self, symbol: str = "") -> None:
        if self._settings.public_only:
            raise Unsupported("this adapter runs in public-only mode: it has no account")
        if symbol:
            self.venue.unified(symbol)

    def _check_interval(self, interval: str) -> None:
        supported = self.venue.capabilities.intervals
        if interval not in supported:
            expected = ", ".join(name for name in INTERVALS_MS if name in supported)
            raise InvalidRequest(f"interval {interval!r}: expected one of {expected}")
