"""What one venue does differently: the small class that each of the five fills in."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, Position, PositionMode
from opensqt.model.errors import ExchangeError, UnknownSymbol, VenueError
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.ratelimit.policy import RateLimitPolicy
from opensqt.venues.transport.errors import PARSE_ERRORS, Codes
from opensqt.venues.transport.rest import Rest


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChange:
    """The wallet balance after a change; what is available of it is not told by streams."""

    wallet_balance: Decimal
    event_time_ms: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageChange:
    """The leverage of a symbol, changed by whoever."""

    symbol: str
    leverage: Decimal


@dataclass(frozen=True, slots=True)
class StreamExpired:
    """The private stream's key ended: connect again with a new one."""


@dataclass(frozen=True, slots=True)
class StreamReady:
    """The private stream is logged in and subscribed: from here on nothing is missed."""


@dataclass(frozen=True, slots=True)
class FillsPending:
    """Trades were made in a symbol that the stream tells in part only: a query tells the rest."""

    symbol: str


Event = (
    Price
    | Candle
    | OrderUpdate
    | Fill
    | FillsPending
    | Position
    | BalanceChange
    | LeverageChange
    | StreamExpired
    | StreamReady
)
"""What a frame can tell."""

_log = get_logger("venue")
_MARKET_TIME_LASTS_S = 30
_KINDS_KEPT = 100
WITHDRAWAL_WARNING = "this key may withdraw: take that right from it, trading does not need it"
T = TypeVar("T")


class Venue(ABC):
    """One venue's requests and frames, in our vocabulary. Stateless but for rules and modes.

    Args:
        settings: The account.
        client: What `make_client` made.
        rest: Sends the requests.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    codes: ClassVar[Codes]
    rate_limits: ClassVar[RateLimitPolicy]
    needs_passphrase: ClassVar[bool] = False
    """Whether a key comes with a passphrase."""
    stale_rules: ClassVar[frozenset[str]] = frozenset()
    """Codes that say that the symbol's rules changed since they were loaded."""
    announces_ready: ClassVar[bool] = False
    """Whether `parse` tells StreamReady; else a private connection is ready as soon as it is made."""

    def __init__(self, settings: VenueSettings, client: Any, rest: Rest) -> None:
        self.settings = settings
        self.client = client
        self.rest = rest
        self.rules: dict[str, SymbolRules] = {}
        self.rules_by_id: dict[str, SymbolRules] = {}
        """The same rules by the venue's own names."""
        self.leverages: dict[str, Decimal] = {}
        self.position_mode = PositionMode.ONE_WAY
        self._unified: dict[str, str] = {}
        self.unknown_events: Counter[str] = Counter()
        """How often each kind of event came that nothing of ours handles."""
        self.malformed_rows = 0
        """Rows of answers that could not be read."""
        self._market_time_ms = 0
        self._market_time_seen_s = float("-inf")

    @classmethod
    @abstractmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the tapped ccxt client, its addresses set."""

    @property
    def is_hedge(self) -> bool:
        """Whether the account holds a long and a short position of a symbol apart."""
        return self.position_mode is PositionMode.HEDGE

    # Symbols

    async def load_rules(self) -> None:
        """Load the rules of every USDT-margined perpetual that trades."""
        markets = await self.rest.call(lambda: self.client.load_markets(True))
        rules, by_id, unified = {}, {}, {}
        for market in markets.values():
            if market["swap"] and market["linear"] and market["settle"] == "USDT" and market["active"] is not False:
                found = self.parse_rules(market)
                rules[found.symbol] = by_id[str(market["id"])] = found
                unified[found.symbol] = market["symbol"]
        self.rules, self.rules_by_id, self._unified = rules, by_id, unified

    def parse_rules(self, market: dict[str, Any]) -> SymbolRules:
        """Read the rules out of ccxt's market; contracts become base coins."""
        size = Decimal(market["contractSize"] or 1)
        limits = market["limits"]
        max_quantity = limits["amount"]["max"]
        max_leverage = limits.get("leverage", {}).get("max")
        return SymbolRules(
            symbol=market["base"] + market["quote"],
            base_asset=market["base"],
            quote_asset=market["quote"],
            price_step=Decimal(market["precision"]["price"]),
            quantity_step=Decimal(market["precision"]["amount"]) * size,
            min_quantity=Decimal(limits["amount"]["min"] or market["precision"]["amount"]) * size,
            max_quantity=Decimal(max_quantity) * size if max_quantity else None,
            min_notional=Decimal(limits["cost"]["min"] or 0),
            contract_size=size,
            max_leverage=Decimal(max_leverage) if max_leverage else None,
        )

    def unified(self, symbol: str) -> str:
        """Answer ccxt's name of a symbol.

        Raises:
            UnknownSymbol: It is not traded here.
        """
        try:
            return self._unified[symbol]
        except KeyError:
            raise UnknownSymbol(f"symbol {symbol!r}: not traded on {self.name}", symbol=symbol) from None

    def market_id(self, symbol: str) -> str:
        """Answer the venue's own name of a symbol."""
        return str(self.client.market(self.unified(symbol))["id"])

    # Requests. Those that place or cancel send once and tell refusal from silence; all raise errors of ours.

    @abstractmethod
    async def place(self, request: OrderRequest) -> Order:
        """Send one order."""

    @abstractmethod
    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to `capabilities.max_batch` orders in one request."""

    @abstractmethod
    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order; OrderNotFound when the venue knows no such open order."""

    @abstractmethod
    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to `capabilities.max_batch` orders of one symbol in one request."""

    @abstractmethod
    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""

    @abstractmethod
    async def order(self, ref: OrderRef) -> Order:
        """Ask for one order, open or closed."""

    @abstractmethod
    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Ask for the open orders of one symbol or of all."""

    @abstractmethod
    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Ask for our trades at or after a time, all pages, oldest first; 0 asks for the newest page only."""

    @abstractmethod
    async def account(self) -> Account:
        """Ask for the balance."""

    @abstractmethod
    async def positions(self, symbol: str = "") -> list[Position]:
        """Ask for the positions: of one symbol, flat ones included, or all that are held."""

    @abstractmethod
    async def price(self, symbol: str) -> Price:
        """Ask for the best bid and ask."""

    @abstractmethod
    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Ask for candles, oldest first; all but the last are closed, and that is when `is_over` says so."""

    @abstractmethod
    async def load_position_mode(self) -> None:
        """Find out the account's position mode."""

    @abstractmethod
    async def set_position_mode(self, mode: PositionMode) -> None:
        """Ask the venue to switch the mode."""

    @abstractmethod
    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol and answer what the venue says it is, asked afresh."""

    async def leverage(self, symbol: str) -> Decimal:
        """Query the leverage of a symbol.

        Raises:
            VenueError: The venue does not report it.
        """
        held = await self.positions(symbol)
        if not held or held[0].leverage is None:
            raise VenueError(f"leverage of {symbol}: the venue does not report it", symbol=symbol)
        return held[0].leverage

    async def key_warnings(self) -> list[str]:
        """Tell what the key may do and should not, where the venue says it."""
        return []

    async def parse_or_raise(self, response: Awaitable[T]) -> T:
        """Await the response to a query.

        Raises:
            VenueError: The response could not be parsed.
        """
        try:
            return await response
        except PARSE_ERRORS as error:
            raise VenueError(f"{self.name}: the response could not be parsed: {error!r}") from error

    # Streams. The watching ones end only with the connection, by raising.

    @abstractmethod
    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Turn a frame into events, or answer None when it carries no data of ours.

        Raises:
            Anything of MALFORMED: the frame is set aside and reported.
        """

    @abstractmethod
    def is_private(self, url: str) -> bool:
        """Whether a connection carries the account's events."""

    @abstractmethod
    async def watch_private(self) -> None:
        """Hold the subscription to the account's events."""

    async def renew_key(self) -> None:
        """Prolong the private stream's key, where the venue uses one."""
        return

    async def watch_price(self, symbol: str) -> None:
        """Hold the subscription to the best bid and ask."""
        await self.client.watch_bids_asks([self.unified(symbol)])

    async def unwatch_price(self, symbol: str) -> None:
        """Give the subscription up."""
        await self.client.un_watch_bids_asks([self.unified(symbol)])

    async def watch_candles(self, symbol: str, interval: str) -> None:
        """Hold the subscription to candles."""
        await self.client.watch_ohlcv(self.unified(symbol), interval)

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Give the subscription up."""
        await self.client.un_watch_ohlcv(self.unified(symbol), interval)

    def parse_rows(self, rows: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
        """Read the rows of an answer; one that can't be read is set aside and reported, and hides no other."""
        found = []
        for row in rows:
            try:
                found.append(read(row))
            except PARSE_ERRORS as error:
                self.malformed_rows += 1
                _log.error("row set aside", venue=self.name, error=repr(error), row=redact(str(row)[:400]))
        return found

    def count_unknown(self, kind: str) -> None:
        """Count an event of a kind that nothing of ours handles, and tell of the first."""
        if kind not in self.unknown_events and len(self.unknown_events) < _KINDS_KEPT:
            _log.info("event not handled", venue=self.name, kind=kind[:60])
        elif kind not in self.unknown_events:
            kind = "other"
        self.unknown_events[kind] += 1

    def observe_market_time(self, event_time_ms: int) -> None:
        """Take in the time that a market data frame told."""
        self._market_time_ms = max(self._market_time_ms, event_time_ms)
        self._market_time_seen_s = time.monotonic()

    async def has_passed(self, symbol: str, close_ms: int) -> bool:
        """Say whether the market is past a time. Its own time counts: in a replay it is not the venue's clock."""
        return close_ms < self.client.nonce() and close_ms < await self.market_now_ms(symbol)

    async def market_now_ms(self, symbol: str) -> int:
        """Answer the market's time, as last told by its data; asked for when that is long ago."""
        if time.monotonic() - self._market_time_seen_s > _MARKET_TIME_LASTS_S:
            self.observe_market_time((await self.price(symbol)).event_time_ms)
        return self._market_time_ms
