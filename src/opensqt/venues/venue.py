"""The interface of a venue: its requests and frames. Each of the five venues has a subclass of `Venue`."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ExchangeError, OutcomeUnknown, UnknownSymbol, Unsupported, VenueError
from opensqt.model.funding import FundingPayment
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.venue import Capabilities, SymbolRules
from opensqt.telemetry.logging import get_logger
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import Event, FillsPending
from opensqt.venues.ratelimit.policy import RateLimitPolicy
from opensqt.venues.rows import FrameFields, RowError, RowKind, above_zero, decimal, sort_number
from opensqt.venues.set_aside import SetAside
from opensqt.venues.transport.errors import PARSE_ERRORS, Codes
from opensqt.venues.transport.rest import Rest
from opensqt.venues.transport.symbol_list import UnreadableSymbol

_log = get_logger("venue")
_MARKET_TIME_VALID_S = 30
_KINDS_KEPT = 100
_NOT_LISTED = "no longer listed"
_QUOTE = "USDT"
_PERPETUAL = re.compile(rf"[0-9A-Z]+{_QUOTE}")
_FINE = "0.00000001"
"""The step of prices and quantities that are not known."""
WITHDRAWAL_WARNING = "this key may withdraw: take that right from it, trading does not need it"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """The USDT-margined perpetuals of a venue's list: those that trade first."""

    rules: dict[str, SymbolRules] = field(default_factory=dict)
    rules_by_id: dict[str, SymbolRules] = field(default_factory=dict)
    markets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """ccxt's markets by canonical name."""
    other_products: frozenset[str]
    unreadable: list[UnreadableSymbol] = field(default_factory=list)


class Venue(ABC):
    """Requests and frames of one venue, in terms of the model. Its only state is rules, leverages and modes.

    Args:
        settings: The account.
        client: The ccxt client of `make_client`.
        rest: Sends the requests.
    """

    name: ClassVar[str]
    capabilities: Capabilities
    codes: ClassVar[Codes]
    frame_fields: ClassVar[FrameFields]
    """Where a frame of a stream has its channel and its symbol."""
    rate_limits: ClassVar[RateLimitPolicy]
    needs_passphrase: ClassVar[bool] = False
    """Whether a key has a passphrase."""
    stale_rules: ClassVar[frozenset[str]] = frozenset()
    """Error codes that show that the symbol rules changed since they were loaded."""
    symbol_state: ClassVar[tuple[str, frozenset[str]]]
    """The field of a listed symbol that holds its state, and the words with which it trades."""
    batches_one_symbol: bool = False
    """Whether all orders that one request places are of one symbol, which the request names once."""
    cancels_by_id_alone: bool = False
    """Whether a cancel reaches the order of an id whatever its symbol is."""
    holds_by_margin_mode: bool = False
    """Whether a side of a symbol can be held under cross and under isolated margin at the same time, in two rows."""
    counts_coins: ClassVar[bool] = True
    """Whether the venue counts quantities in base coins, and not in contracts of a size that only its list has."""
    unchanged: ClassVar[frozenset[str]] = frozenset()
    """Error codes that say that a setting has the requested value already."""
    announces_ready: ClassVar[bool] = False
    """Whether `parse` returns StreamReady. Otherwise an account connection is ready as soon as it is made."""

    countdown_rules: CountdownRules | None = None
    """The countdown of the venue, or of this kind of account, that cancels orders; None where there is none."""

    def __init__(self, settings: VenueSettings, client: Any, rest: Rest) -> None:
        self.settings = settings
        self.client = client
        self.rest = rest
        self.rules: dict[str, SymbolRules] = {}
        """By canonical name: the symbols that trade first, then those that are listed and do not trade now."""
        self.rules_by_id: dict[str, SymbolRules] = {}
        """The same rules by the venue's own names."""
        self.other_products: frozenset[str] = frozenset()
        """The venue's own names of what is no USDT-margined perpetual. Its rows are not read."""
        self._unknown_names: set[str] = set()
        self.leverages: dict[str, Decimal] = {}
        self.position_mode = PositionMode.ONE_WAY
        self.account_mode = ""
        """The venue's term for the mode of the account, as `check_account` found it."""
        self.margin_mode = MarginMode.CROSS
        """Of the account, at the venue that has one for all positions."""
        self._listings: dict[str, dict[str, Any]] = {}
        """ccxt's markets by canonical name."""
        self.unknown_events: Counter[str] = Counter()
        """Number of events of each kind that the adapter does not handle."""
        self.set_aside = SetAside(self.name)
        """The rows of responses and of frames that could not be read."""
        self.known_order: Callable[[Order], Order] = lambda order: order
        """Returns the known object of an open order that a list shows unchanged, and else the order of the list."""
        self.on_unknown_symbol: Callable[[], None] = lambda: None
        """Called when a row has a symbol that is in no list of the venue."""
        self.public: PublicChannels | None = None
        """Order book, public trades and mark price, where the adapter has them."""
        self._market_time_ms = 0
        self._market_time_seen_s = float("-inf")

    @classmethod
    @abstractmethod
    def make_client(cls, settings: VenueSettings) -> Any:
        """Make the ccxt client, with its addresses set."""

    @property
    def is_hedge(self) -> bool:
        """Whether the account can hold a long and a short position of a symbol at the same time."""
        return self.position_mode is PositionMode.HEDGE

    # Symbols

    async def load_rules(self) -> None:
        """Load the rules of every USDT-margined perpetual that is listed, and keep those of one that no longer is.

        A symbol that does not trade may be held. Its position must not pass for a flat one. One that is in no list, and
        in a row of the account, left the list before this process began. A row of the list that can't be read is set
        aside, and a symbol that is known keeps its rules then.
        """
        began_s = time.monotonic()
        listed = await self.rest.call(lambda: self.client.load_markets_in_thread(self._read_markets))
        self._log_changed_states(listed.rules)
        self.rules, self.rules_by_id, self._listings = listed.rules, listed.rules_by_id, listed.markets
        self.other_products = listed.other_products
        for row in listed.unreadable:
            rules = self.rules_by_id.get(row.name.upper())
            self.set_aside.add("rules", rules.symbol if rules is not None else row.name, "", row.reason, row.raw)
        self.set_aside.expire("rules", began_s)

    def _read_markets(self, markets: dict[str, dict[str, Any]]) -> _Listed:
        """Read the rules of ccxt's markets. This runs in a thread, and changes nothing that the event loop reads."""
        listed, others = [], set()
        for market in markets.values():
            if market["swap"] and market["linear"] and market["settle"] == _QUOTE:
                listed.append((market, self.untradable_reason(market)))
            else:
                others.add(str(market["id"]).upper())
        unreadable = list(self.client.unreadable_symbols)
        known = {market["id"]: market for market in self._listings.values()}
        kept = [known[row.name] for row in unreadable if row.name in known]
        names = {market["id"] for market, _ in listed} | {row.name for row in unreadable}
        gone = [market | {"active": False} for market in known.values() if market["id"] not in names]
        if listed and self.counts_coins:
            left = sorted(self._unknown_names - names - {market["id"] for market in gone})
            gone += [unlisted_market(name, listed[0][0]) for name in left if _is_perpetual(name) and name not in others]
        if gone or kept:
            # ccxt forgets them, too, and could send no cancel.
            self.client.set_markets([*markets.values(), *kept, *gone])
        listed += [(market, self.untradable_reason(market)) for market in kept]
        listed += [(market, _NOT_LISTED) for market in gone]
        found = _Listed(other_products=frozenset(others), unreadable=unreadable)
        for each, reason in sorted(listed, key=lambda one: bool(one[1])):
            market = each
            try:
                rules = replace(self.parse_rules(market), untradable_reason=reason)
            except PARSE_ERRORS as error:
                known_rules = self.rules_by_id.get(market["id"].upper())
                if known_rules is None and reason:
                    # It may be listed before its rules are complete, or after.
                    _log.warning("rules could not be read", venue=self.name, name=market["id"], error=repr(error))
                    continue
                found.unreadable.append(UnreadableSymbol(market["id"], str(error), market["info"]))
                if known_rules is None:
                    continue
                market, rules = known[market["id"]], replace(known_rules, untradable_reason=reason)
            # Of two listings with one canonical name the one that trades has it. Rows of the other are set aside.
            if rules.symbol not in found.rules:
                found.rules[rules.symbol] = found.rules_by_id[str(market["id"]).upper()] = rules
                found.markets[rules.symbol] = market
        return found

    async def load_unlisted(self) -> bool:
        """Load the rules of the symbols that a row of the account has and the list lacks; return whether there are any.

        Where the venue counts contracts their size is not known: such a row can't be read.
        """
        if not self.counts_coins or not any(
            _is_perpetual(name) for name in self._unknown_names - self.rules_by_id.keys()
        ):
            return False
        await self.load_rules()
        return True

    def untradable_reason(self, market: dict[str, Any]) -> str:
        """Return the venue's term for the state in which a listed symbol does not trade; empty while it trades."""
        field, tradable = self.symbol_state
        value = str(market["info"].get(field) or "")
        if value:
            return "" if value in tradable else value
        return "" if market["active"] is not False else "not active"

    def _log_changed_states(self, rules: dict[str, SymbolRules]) -> None:
        for symbol, known in self.rules.items():
            reason = rules[symbol].untradable_reason if symbol in rules else _NOT_LISTED
            if reason != known.untradable_reason:
                now, before = reason or "tradable", known.untradable_reason or "tradable"
                _log.warning("symbol changed its state", venue=self.name, symbol=symbol, state=now, before=before)

    def parse_rules(self, market: dict[str, Any]) -> SymbolRules:
        """Parse the rules of ccxt's market; contracts are converted to base coins."""
        limits, precision = market["limits"], market["precision"]
        size = above_zero(self.contract_size(market), "size of a contract")
        price_step, quantity_step = (
            above_zero(precision[name], f"step of the {label}")
            for name, label in (("price", "price"), ("amount", "quantity"))
        )
        max_quantity = limits["amount"]["max"]
        max_leverage = limits.get("leverage", {}).get("max")
        smallest, largest = self.market_quantities(market)
        return SymbolRules(
            symbol=market["base"] + market["quote"],
            base_asset=market["base"],
            quote_asset=market["quote"],
            price_step=price_step,
            quantity_step=quantity_step * size,
            min_quantity=decimal(limits["amount"]["min"] or quantity_step, "smallest quantity") * size,
            max_quantity=above_zero(max_quantity, "largest quantity") * size if max_quantity else None,
            min_notional=decimal(limits["cost"]["min"] or 0, "least notional"),
            min_market_quantity=decimal(smallest, "smallest market order") * size if smallest else None,
            max_market_quantity=decimal(largest, "largest market order") * size if largest else None,
            contract_size=size,
            max_leverage=decimal(max_leverage, "largest leverage") if max_leverage else None,
        )

    def contract_size(self, market: dict[str, Any]) -> Any:
        """Return the coins of one contract as the venue lists them: by a wrong size every quantity would be wrong."""
        return market["contractSize"] or (1 if self.counts_coins else None)

    def market_quantities(self, market: dict[str, Any]) -> tuple[str, str]:
        """Return the smallest and the largest quantity of a market order, in the venue's unit; empty for none."""
        return "", ""

    def unified(self, symbol: str) -> str:
        """Return ccxt's name of a symbol.

        Raises:
            UnknownSymbol: The venue does not list it.
        """
        try:
            return str(self._listings[symbol]["symbol"])
        except KeyError:
            raise UnknownSymbol(f"symbol {symbol!r}: not traded on {self.name}", symbol=symbol) from None

    def market_id(self, symbol: str) -> str:
        """Return the venue's own name of a symbol."""
        self.unified(symbol)
        return str(self._listings[symbol]["id"])

    # Requests. All raise OpenSQT errors. Those that place, amend or cancel are sent once, and distinguish a refusal
    # from no response.

    @abstractmethod
    async def place(self, request: OrderRequest) -> Order:
        """Send one order."""

    @abstractmethod
    async def place_batch(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """Send up to `capabilities.max_batch` orders in one request; of one symbol where `batches_one_symbol`."""

    async def amend(self, order: Order, request: AmendRequest) -> Order:
        """Send one amendment, and return the order after it. A venue that amends in place overrides this.

        Args:
            order: The order as it is known.
            request: What is asked for, `completed` with what stays as it is.
        """
        raise Unsupported(f"{self.name} can't amend an order in place", symbol=order.symbol)

    @abstractmethod
    async def cancel(self, ref: OrderRef) -> Order:
        """Cancel one order.

        Raises:
            OrderNotFound: The venue knows no such open order.
        """

    @abstractmethod
    async def cancel_batch(self, symbol: str, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """Cancel up to `capabilities.max_batch` orders of one symbol in one request."""

    @abstractmethod
    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""

    async def prepare_countdown(self, timeout_s: int) -> None:
        """Do at the start what takes the venue a while to apply."""
        return

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        """Let the venue cancel orders in *timeout_s* seconds; 0 stops that. See `HasCountdown`."""
        raise Unsupported(f"{self.name} has no countdown that cancels orders")

    @abstractmethod
    async def order(self, ref: OrderRef) -> Order:
        """Query one order, open or closed."""

    @abstractmethod
    async def open_orders(self, symbol: str = "") -> list[Order]:
        """Query the open orders of one symbol or of all."""

    @abstractmethod
    async def fills(self, symbol: str, since_ms: int) -> list[Fill]:
        """Query the account's trades at or after a time: all pages, oldest first. 0 queries the newest page only."""

    @abstractmethod
    async def account(self) -> Account:
        """Query the balance."""

    @abstractmethod
    async def positions(self, symbol: str = "") -> list[Position]:
        """Query the positions: those of one symbol, flat ones included, or all open ones."""

    @abstractmethod
    async def price(self, symbol: str) -> Price:
        """Query the best bid and ask."""

    @abstractmethod
    async def candles(
        self, symbol: str, interval: str, limit: int, start_ms: int | None = None, end_ms: int | None = None
    ) -> list[Candle]:
        """Query candles, oldest first. All but the last are closed; the last is closed if `has_passed` its end."""

    @abstractmethod
    async def check_account(self) -> None:
        """Query the mode of the account, and keep it.

        Raises:
            UnsupportedAccount: The account is not traded in this mode. The message says what to switch, and where.
        """

    @abstractmethod
    async def load_position_mode(self) -> None:
        """Query the account's position mode."""

    @abstractmethod
    async def set_position_mode(self, mode: PositionMode) -> None:
        """Switch the account's position mode. A mode that it has already is not an error."""

    @abstractmethod
    async def change_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of a symbol, in its margin mode. A leverage that it has already is not an error."""

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol, query it, and return the queried value."""
        await self.change_leverage(symbol, leverage)
        return await self.leverage(symbol)

    async def current_margin_mode(self, symbol: str) -> MarginMode:
        """Query the margin mode of a symbol, or of the account where the symbol is empty."""
        return (await self.positions(symbol))[0].margin_mode

    async def change_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of a symbol, or of the account. A mode that it has already is not an error.

        Raises:
            Unsupported: `capabilities.margin_mode_scope` is NONE.
        """
        raise Unsupported(f"margin mode {mode}: {self.name} has no such setting", symbol=symbol)

    @abstractmethod
    async def funding_payments(self, symbol: str, since_ms: int) -> list[FundingPayment]:
        """Query the account's funding payments at or after a time: all pages, oldest first.

        Args:
            symbol: Canonical; empty for all symbols.
            since_ms: 0 queries the newest page only.
        """

    async def leverage(self, symbol: str) -> Decimal:
        """Query the leverage of a symbol.

        Raises:
            VenueError: The venue does not report it.
        """
        held = await self.positions(symbol)
        if not held or held[0].leverage is None:
            raise VenueError(f"leverage of {symbol}: the venue does not report it", symbol=symbol)
        return held[0].leverage

    async def accept_unchanged(self, request: Awaitable[Any]) -> None:
        """Await a change of a setting; a setting that has the value already is not an error."""
        try:
            await request
        except ExchangeError as error:
            if error.venue_code not in self.unchanged:
                raise

    async def read_funding_payments(
        self, kind: RowKind, pages: AsyncIterable[Iterable[Any]], parse: Callable[[Any], FundingPayment], symbol: str
    ) -> list[FundingPayment]:
        """Read funding payments of one symbol, or of all, oldest first and each once.

        Args:
            kind: What the rows are.
            pages: The rows of each response; pages may overlap, and hold other symbols.
            parse: Reads one row.
            symbol: Canonical; empty for all.
        """
        found = {one.payment_id: one async for page in pages for one in self.read_rows(kind, page, parse)}
        wanted = (payment for payment in found.values() if symbol in ("", payment.symbol))
        return sorted(wanted, key=lambda payment: (payment.event_time_ms, sort_number(payment.payment_id)))

    async def account_now_ms(self, symbol: str = "") -> int:
        """Return the time up to which the account's records are queried: that of the market, of any symbol."""
        try:
            return await self.market_now_ms(symbol or next(iter((*self.settings.symbols, *self.rules))))
        except VenueError:
            # This symbol has no price now.
            return int(self.client.nonce())

    def require_price(self, price: Price | None, symbol: str) -> Price:
        """Return the price of a response.

        Raises:
            VenueError: One side of the book is empty.
        """
        if price is None:
            raise VenueError(f"price of {symbol}: one side of the book is empty", symbol=symbol)
        return price

    async def key_warnings(self) -> list[str]:
        """Return warnings about rights that the key has and trading does not need, if the venue reports its rights."""
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

    async def parse_or_unknown(self, response: Awaitable[T], symbol: str = "") -> T:
        """Await the response to a request that changes something. One that can't be parsed leaves its outcome unknown.

        Raises:
            OutcomeUnknown: The response could not be parsed.
        """
        try:
            return await response
        except PARSE_ERRORS as error:
            text = "the venue's response could not be parsed"
            _log.error(text, symbol=symbol, error=repr(error))
            raise OutcomeUnknown(text, symbol=symbol) from error

    # Streams. A `watch_` method ends only with the connection, by raising.

    @abstractmethod
    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Parse a frame into events; return None when it carries no market or account data.

        A row that can't be read is set aside, and hides no other. RowError says that the frame itself can't be read.
        Any other error is an error of the parser.
        """

    @abstractmethod
    def is_private(self, url: str) -> bool:
        """Return whether a connection carries the account's events."""

    @abstractmethod
    async def watch_private(self) -> None:
        """Subscribe to the account's events."""

    async def renew_key(self) -> None:
        """Extend the life of the account stream's key, if the venue uses one."""
        return

    async def watch_price(self, symbol: str) -> None:
        """Subscribe to the best bid and ask."""
        await self.client.watch_bids_asks([self.unified(symbol)])

    async def unwatch_price(self, symbol: str) -> None:
        """Unsubscribe from the best bid and ask."""
        await self.client.un_watch_bids_asks([self.unified(symbol)])

    async def watch_candles(self, symbol: str, interval: str) -> None:
        """Subscribe to candles."""
        await self.client.watch_ohlcv(self.unified(symbol), interval)

    async def unwatch_candles(self, symbol: str, interval: str) -> None:
        """Unsubscribe from candles."""
        await self.client.un_watch_ohlcv(self.unified(symbol), interval)

    def read_rows(self, kind: RowKind, rows: Iterable[Any], parse: Callable[[Any], T | None]) -> list[T]:
        """Read rows, each on its own: one that can't be read is set aside, and the others are returned.

        Args:
            kind: What the rows are.
            rows: As the venue sent them.
            parse: Reads one row; returns None for one that is not used.
        """
        found = []
        for raw in rows:
            try:
                if kind.symbol and not self.is_listed(raw.get(kind.symbol) if isinstance(raw, dict) else None):
                    continue
                parsed = parse(raw)
            except RowError as error:
                self.set_row_aside(kind, raw, error)
            else:
                if self.set_aside:
                    self.set_aside.remove(kind.name, *self.identity(kind, raw))
                if parsed is not None:
                    found.append(parsed)
        return found

    async def read_open_orders(
        self, kind: RowKind, pages: AsyncIterable[Iterable[Any]], parse: Callable[[Any], Order]
    ) -> list[Order]:
        """Read thousands of open orders in little memory: each page before the next, and no known order once more.

        Args:
            kind: What the rows are.
            pages: The rows of each response.
            parse: Reads one row.
        """

        def read(raw: Any) -> Order:
            return self.known_order(parse(raw))

        return [order async for page in pages for order in self.read_rows(kind, page, read)]

    def read_updates(
        self,
        kinds: tuple[RowKind, RowKind],
        rows: Iterable[Any],
        parse_order: Callable[[Any], Order],
        parse_fill: Callable[[Any], Fill | None],
        lacks_fee: Callable[[dict[str, Any]], bool],
    ) -> list[Event]:
        """Read rows of orders that carry a fill too: a fill is returned even where its order can't be read.

        A fee that is not known is no fee of zero: the trades of such a symbol are queried, whose list has it.

        Args:
            kinds: What the rows are as orders, and as fills.
            rows: As the venue sent them.
            parse_order: Reads the order of a row.
            parse_fill: Reads the fill of a row; returns None for a row without one, and for one without its fee.
            lacks_fee: Returns whether a row has a fill and not its fee.
        """
        found: list[Event] = []
        pending: dict[str, None] = {}
        for raw in rows:
            order = next(iter(self.read_rows(kinds[0], [raw], parse_order)), None)
            # A row of another product is read as neither.
            is_ours = order is not None or self.set_aside.hides_row(kinds[0].name, *self.identity(kinds[0], raw))
            fill = next(iter(self.read_rows(kinds[1], [raw], parse_fill)), None) if is_ours else None
            if order is not None:
                found.append(OrderUpdate(order=order, fill=fill))
            elif fill is not None:
                found.append(fill)
            if is_ours and isinstance(raw, dict) and lacks_fee(raw):
                pending[self.identity(kinds[0], raw)[0]] = None
        return [*found, *map(FillsPending, pending)]

    def with_order(self, fill: Fill, order: Order) -> Fill:
        """Return a queried fill with what only its order shows, where the venue's list of trades lacks it."""
        return fill

    def order_or_unknown(self, raw: Any, symbol: str, parse: Callable[[Any], Order]) -> Order | ExchangeError:
        """Read the order of one item of a batch. One that can't be read leaves only its own outcome unknown."""
        try:
            return parse(raw)
        except RowError as error:
            _log.error("order of a response could not be read", venue=self.name, symbol=symbol, error=str(error))
            return OutcomeUnknown(f"the venue's response could not be read: {error}", symbol=symbol)

    def set_row_aside(self, kind: RowKind, raw: Any, error: RowError) -> None:
        """Set aside a row that can't be read."""
        self.set_aside.add(kind.name, *self.identity(kind, raw), error, raw)

    def identity(self, kind: RowKind, raw: Any) -> tuple[str, str]:
        """Return the symbol and the id of a row: the canonical symbol where it is known."""
        symbol, row_id = kind.identity(raw)
        rules = self.rules_by_id.get(symbol.upper())
        return (rules.symbol if rules is not None else symbol), row_id

    def frame_identity(self, frame: Any) -> tuple[str, str]:
        """Return the symbol and the channel of a frame: the canonical symbol where it is known."""
        name, channel = self.frame_fields.identity(frame)
        rules = self.rules_by_id.get(name.upper())
        return (rules.symbol if rules is not None else name), channel

    def listed_rules(self, name: Any) -> SymbolRules:
        """Return the rules of a symbol by the venue's own name.

        Raises:
            RowError: The venue lists no such symbol, or it is another product.
        """
        if not self.is_listed(name):
            raise RowError(f"symbol {name!r}: expected a USDT-margined perpetual")
        return self.rules_by_id[name.upper()]

    def is_listed(self, name: Any) -> bool:
        """Return whether rows of this symbol are read, by the venue's own name; False for another product.

        Raises:
            RowError: The venue lists no such symbol.
        """
        if isinstance(name, str):
            if name.upper() in self.rules_by_id:
                return True
            if name.upper() in self.other_products:
                return False
            if name not in self._unknown_names and len(self._unknown_names) < _KINDS_KEPT:
                # It may have been listed since the rules were loaded.
                self._unknown_names.add(name)
                self.on_unknown_symbol()
        raise RowError(f"symbol {str(name)[:60]!r}: the venue does not list it")

    def count_unknown(self, kind: str) -> None:
        """Count an event of a kind that the adapter does not handle, and log the first of each kind."""
        if kind not in self.unknown_events and len(self.unknown_events) < _KINDS_KEPT:
            _log.info("event not handled", venue=self.name, kind=kind[:60])
        elif kind not in self.unknown_events:
            kind = "other"
        self.unknown_events[kind] += 1

    def observe_market_time(self, event_time_ms: int) -> None:
        """Apply the time of a market data frame."""
        self._market_time_ms = max(self._market_time_ms, event_time_ms)
        self._market_time_seen_s = time.monotonic()

    async def has_passed(self, symbol: str, close_ms: int) -> bool:
        """Return whether the market and the clock are past a time; in a replay the two differ."""
        return close_ms < self.client.nonce() and close_ms < await self.market_now_ms(symbol)

    async def with_last_open(self, candles: list[Candle]) -> list[Candle]:
        """Return queried candles, all read as closed, with the last one as open until its end `has_passed`."""
        if not candles:
            return []
        last = candles[-1]
        if await self.has_passed(last.symbol, last.open_time_ms + INTERVALS_MS[last.interval] - 1):
            return candles
        return [*candles[:-1], replace(last, closed=False, event_time_ms=last.open_time_ms)]

    async def market_now_ms(self, symbol: str) -> int:
        """Return the time of the newest market data; query a price if that is long ago."""
        if time.monotonic() - self._market_time_seen_s > _MARKET_TIME_VALID_S:
            self.observe_market_time((await self.price(symbol)).event_time_ms)
        return self._market_time_ms


def unlisted_market(name: str, listed: dict[str, Any]) -> dict[str, Any]:
    """Return ccxt's market of a symbol that is in no list: of its rules only the name is known.

    Args:
        name: The venue's own name.
        listed: A symbol of the same kind.
    """
    base = name.removesuffix(_QUOTE)
    own = {"id": name, "symbol": f"{base}/{_QUOTE}:{_QUOTE}", "base": base, "baseId": base, "active": False, "info": {}}
    nothing = {"min": None, "max": None}
    limits = {"amount": nothing, "price": nothing, "cost": nothing, "leverage": nothing}
    return listed | own | {"contractSize": "1", "limits": limits, "precision": {"price": _FINE, "amount": _FINE}}


def _is_perpetual(name: str) -> bool:
    """Return whether a name can be that of a USDT-margined perpetual, where the venue counts coins."""
    return _PERPETUAL.fullmatch(name) is not None
