"""The Exchange protocol over any Venue: all that the five venues share, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position
from opensqt.model.client_context import current_client
from opensqt.model.errors import ExchangeError, InvalidRequest, OrderNotFound, Unreachable, Unsupported, VenueError
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import ExchangeInfo, ExchangeStatus, RateBudget, RateLimit
from opensqt.telemetry.logging import get_logger, protect, redact
from opensqt.venues.account.orders import OrderEntry
from opensqt.venues.account.state import AccountState
from opensqt.venues.account.stream import AccountStream
from opensqt.venues.credentials import CredentialsRenewal
from opensqt.venues.health import BackgroundTasks, Health
from opensqt.venues.market.data import MarketData
from opensqt.venues.metrics import VenueMetrics
from opensqt.venues.ratelimit.limiter import RateLimiter, in_lane
from opensqt.venues.ratelimit.window import Lane
from opensqt.venues.startup import Startup
from opensqt.venues.transport.ccxt_client import Callbacks
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.transport.rest import Rest
from opensqt.venues.transport.subscription import QUERY_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_MOST_CANDLES = 1_000
_RULES_RELOAD_S = 10.0
_SMALLEST_PAGE = 100
"""Trades that every venue tells in one answer."""
_HOUSEKEEPING_INTERVAL_S = 5.0
T = TypeVar("T")


class VenueAdapter:
    """One account on one venue, as `opensqt.model.exchange.Exchange`.

    Args:
        venue_type: The venue's differences.
        settings: The account.
    """

    def __init__(self, venue_type: type[Venue], settings: VenueSettings) -> None:
        protect(*(value.get_secret_value() for value in (settings.api_key, settings.secret, settings.passphrase)))
        self._settings = settings
        self._health = Health(venue_type.name)
        self._tasks = BackgroundTasks(self._health)
        self._rate_limiter = RateLimiter(venue_type.rate_limits, queue_timeout_s=settings.request_timeout_s)
        self.venue_metrics = VenueMetrics()
        """What the requests and connections to the venue were like."""
        self.venue_metrics.queued = self._rate_limiter.queued_by_lane
        self._type = venue_type
        self._venue = self._make_venue(settings, self._health)
        self._client, self._rest = self._venue.client, self._venue.rest
        self._account_state = AccountState(self._venue)
        self._market = MarketData(self._venue, self._client, self._health, self._tasks)
        self._account_stream = AccountStream(self._venue, self._client, self._account_state, self._health, self._tasks)
        self._order_entry = OrderEntry(
            self._venue,
            self._account_state,
            expect_stream=self._account_stream.expect,
            on_rules_stale=self._reload_rules,
        )
        self._client.callbacks = Callbacks(
            frame=self._on_frame, connected=self._on_connected, malformed=self._report_malformed
        )
        self._renewal = CredentialsRenewal(
            self._make_venue, self._venue, self._account_state, self._health, self._account_stream.reconnect
        )
        self._rules_loaded_s = 0.0
        self._rules_reload: asyncio.Task[None] | None = None
        self._closed = False
        self.malformed_frames = 0
        """Frames that could not be read, since the start."""

    @property
    def name(self) -> str:
        """The venue's."""
        return self._venue.name

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Load the rules, prove the credentials, take the first inventory and keep it true from then on."""
        try:
            await Startup(self._venue, self._health).run()
            self._rules_loaded_s = time.monotonic()
            if not self._settings.public_only:
                await self._account_stream.start()
            self._market.start()
            self._tasks.start("clock", self._keep_clock())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release everything. Orders stay at the venue. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.close()
        gone = Unreachable(f"the connection to {self.name} was closed")
        self._market.close(gone)
        for feed in (self._account_state.orders, self._account_state.positions, self._account_state.accounts):
            feed.close(gone)
        await self._client.close()

    async def renew_credentials(self, settings: VenueSettings) -> bool:
        """Take up the key that *settings* hold, without a restart; see `Renewal.renew`."""
        return await self._renewal.renew(settings)

    # Orders

    async def place_order(self, request: OrderRequest) -> Order:
        """Send one order."""
        self._require_account()
        with in_lane(Lane.ORDER):
            return await self._order_entry.place(request)

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send several orders; answers in their order."""
        self._require_account()
        with in_lane(Lane.ORDER):
            return await self._order_entry.place_batch(requests)

    async def cancel_order(self, ref: OrderRef) -> Order:
        """Cancel one order."""
        self._require_account()
        with in_lane(Lane.CANCEL):
            return await self._order_entry.cancel(ref)

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel several orders; answers in their order."""
        self._require_account()
        with in_lane(Lane.CANCEL):
            return await self._order_entry.cancel_batch(refs)

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """Cancel every open order of a symbol."""
        self._require_account(symbol)
        with in_lane(Lane.CANCEL):
            return await self._order_entry.cancel_all(symbol)

    async def get_order(self, ref: OrderRef) -> Order:
        """Ask the venue for one order: by the client's id, and by its own when it forgot that one sooner."""
        self._require_account(ref.symbol)
        try:
            order = await self._read(self._venue.order(ref))
        except OrderNotFound:
            known = self._account_state.tracker.find(ref)
            order_id = ref.order_id or (known.order_id if known is not None else "")
            if not (ref.client_order_id and order_id):
                raise
            order = await self._read(self._venue.order(OrderRef(symbol=ref.symbol, order_id=order_id)))
        return self._merge(order)

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """Ask the venue for the open orders."""
        self._require_account(symbol)
        told = [self._merge(order) for order in await self._read(self._venue.open_orders(symbol))]
        # The stream may have told the end of one while the answer was on its way.
        return [order for order in told if not order.status.is_closed]

    # The account

    async def get_account(self) -> Account:
        """Ask the venue for the balance."""
        self._require_account()
        return await self._read(self._venue.account())

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """Ask the venue for the positions."""
        self._require_account(symbol)
        positions = await self._read(self._venue.positions(symbol))
        known = self._venue.leverages
        return [replace(told, leverage=told.leverage or known.get(told.symbol)) for told in positions]

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """Ask the venue for our trades since a time."""
        self._require_account(symbol)
        fills = await self._read(self._venue.fills(symbol, since_ms))
        if not since_ms and len(fills) >= _SMALLEST_PAGE:
            # 0 is the newest page alone, which costs one request; a full one may have others before it.
            fills = await self._read(self._venue.fills(symbol, 1))
        return [self._with_client_id(fill) for fill in fills if fill.event_time_ms >= since_ms]

    # The market

    async def get_latest_price(self, symbol: str) -> Price:
        """Answer the best bid and ask."""
        self._venue.unified(symbol)
        streamed = self._market.fresh_price(symbol)
        return streamed if streamed is not None else await self._read(self._venue.price(symbol))

    async def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """Ask the venue for candles."""
        self._venue.unified(symbol)
        self._check_interval(interval)
        if not 1 <= limit <= _MOST_CANDLES:
            raise InvalidRequest(f"limit {limit}: expected 1 to {_MOST_CANDLES}", symbol=symbol)
        return await self._read(self._venue.candles(symbol, interval, limit, start_ms, end_ms))

    async def get_exchange_info(self) -> ExchangeInfo:
        """Tell what is behind this interface."""
        capabilities = self._venue.capabilities
        if self._settings.public_only:
            capabilities = replace(capabilities, trading=False)
        return ExchangeInfo(
            name=self.name,
            exchange_type="usdt_perpetual",
            capabilities=capabilities,
            symbols=tuple(self._venue.rules.values()),
            testnet=self._settings.testnet,
            simulated=bool(self._settings.base_url),
            position_mode=self._venue.position_mode,
        )

    async def get_status(self) -> ExchangeStatus:
        """Tell whether trading is possible now, and why not."""
        private = [] if self._settings.public_only else self._account_stream.channels()
        return replace(
            self._health.evaluate(),
            channels=(*private, *self._market.channels()),
            clock_offset_ms=self._client.clock_offset_ms,
        )

    async def get_rate_budget(self) -> RateBudget:
        """Tell what is left of what the venue grants."""
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
        self._venue.unified(symbol)
        return self._market.prices(symbol).subscribe(cursor=cursor)

    def subscribe_klines(self, symbol: str, interval: str, *, cursor: Cursor | None = None) -> Stream[Candle]:
        """Stream candles as they form."""
        self._venue.unified(symbol)
        self._check_interval(interval)
        return self._market.candles(symbol, interval).subscribe(cursor=cursor)

    def subscribe_orders(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[OrderUpdate]:
        """Stream orders and fills."""
        self._require_account(symbol)
        where = (lambda update: update.order.symbol == symbol) if symbol else None
        return self._account_state.orders.subscribe(cursor=cursor, where=where)

    def subscribe_account(self, *, cursor: Cursor | None = None) -> Stream[Account]:
        """Stream the balance."""
        self._require_account()
        return self._account_state.accounts.subscribe(cursor=cursor)

    def subscribe_positions(self, symbol: str = "", *, cursor: Cursor | None = None) -> Stream[Position]:
        """Stream positions."""
        self._require_account(symbol)
        where = (lambda position: position.symbol == symbol) if symbol else None
        return self._account_state.positions.subscribe(cursor=cursor, where=where)

    # Frames

    def _on_connected(self, socket: Any) -> None:
        self.venue_metrics.connections["private" if self._venue.is_private(socket.url) else "market"] += 1
        self._account_stream.on_connected(socket)

    def _on_frame(self, socket: Any, frame: Any) -> bool:
        try:
            events = self._venue.parse(frame)
            if events is None:
                return False
            for event in events:
                if isinstance(event, Price | Candle):
                    self._market.handle(event, socket)
                else:
                    self._account_stream.handle(event, socket)
        except PARSE_ERRORS as error:
            self._report_malformed(f"{frame}: {error!r}")
        return True

    def _report_malformed(self, text: str) -> None:
        self.malformed_frames += 1
        # The first ones tell what is wrong; a stream of them must not fill the log.
        if self.malformed_frames <= 10 or self.malformed_frames % 1_000 == 0:
            _log.warning("frame set aside", venue=self.name, count=self.malformed_frames, frame=redact(text[:400]))

    # Upkeep

    async def _keep_clock(self) -> None:
        """Measure the clock when that is due, and when the venue has answered nothing for a while: it is a question."""
        while True:
            await asyncio.sleep(min(_HOUSEKEEPING_INTERVAL_S, self._settings.clock_interval_s))
            if not self._rest.clock.due and self._rest.idle_s < _HOUSEKEEPING_INTERVAL_S:
                continue
            try:
                await self._rest.clock.measure()
            except QUERY_ERRORS as error:
                _log.warning("the venue's clock could not be asked", error=redact(str(error)))

    def _reload_rules(self) -> None:
        """Load the rules afresh, at most every few seconds: a refusal said that ours are out of date."""
        running = self._rules_reload is not None and not self._rules_reload.done()
        if running or time.monotonic() - self._rules_loaded_s < _RULES_RELOAD_S:
            return
        self._rules_loaded_s = time.monotonic()
        self._rules_reload = self._tasks.start("rules", self._try_to_load_rules(), lasting=False)

    async def _try_to_load_rules(self) -> None:
        try:
            await self._venue.load_rules()
        except QUERY_ERRORS as error:
            _log.warning("the symbol rules could not be loaded afresh", error=redact(str(error)))

    def _make_venue(self, settings: VenueSettings, health: Health) -> Venue:
        """Make a way to the venue; all of them share one rate budget."""
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

    # Checks

    async def _read(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except PARSE_ERRORS as error:
            raise VenueError(f"{self.name} answered what could not be read: {error!r}") from error

    def _require_account(self, symbol: str = "") -> None:
        if self._settings.public_only:
            raise Unsupported("this adapter runs in public-only mode: it has no account")
        if symbol:
            self._venue.unified(symbol)

    def _check_interval(self, interval: str) -> None:
        known = self._venue.capabilities.intervals
        if interval not in known:
            expected = ", ".join(name for name in INTERVALS_MS if name in known)
            raise InvalidRequest(f"interval {interval!r}: expected one of {expected}")

    def _merge(self, told: Order) -> Order:
        """Take in what a query told of an order, and answer what is known of it with that."""
        self._account_state.apply_order(told)
        return self._account_state.tracker.find(OrderRef(symbol=told.symbol, order_id=told.order_id)) or told

    def _with_client_id(self, fill: Fill) -> Fill:
        if fill.client_order_id:
            return fill
        order = self._account_state.tracker.find(OrderRef(symbol=fill.symbol, order_id=fill.order_id))
        return replace(fill, client_order_id=order.client_order_id) if order else fill
