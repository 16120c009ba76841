"""Description of a venue: symbol rules, capabilities, health, rate limits, leases."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from enum import StrEnum

from opensqt.model.account import AccountNotice, MarginMode, PositionMode
from opensqt.model.countdown import DeadMachineStatus
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce

POSITIONS_CHECK = "positions"
"""Name of the check that fails while something is held whose size is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRules:
    """The filters that an order of a symbol must pass. Quantities in base coins, prices in quote."""

    symbol: str
    base_asset: str
    quote_asset: str
    price_step: Decimal
    quantity_step: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    """Quote; zero where the venue has none."""
    max_quantity: Decimal | None = None
    contract_size: Decimal = Decimal(1)
    """Base coins per contract, which the adapter converts with. For information only."""
    max_leverage: Decimal | None = None
    maker_fee: Decimal | None = None
    """Rate, e.g. 0.0002; None when the account's rate is not known."""
    taker_fee: Decimal | None = None
    min_market_quantity: Decimal | None = None
    """Smallest quantity of a MARKET order; None where it is that of every order."""
    max_market_quantity: Decimal | None = None
    """Largest quantity of a MARKET order; None where it is that of every order."""
    untradable_reason: str = ""
    """The venue's term for the state in which the symbol does not trade, e.g. SETTLING; empty while it trades."""

    @property
    def tradable(self) -> bool:
        """Whether orders that open a position are taken. If not, only what closes one and cancels are sent."""
        return not self.untradable_reason

    def round_price(self, price: Decimal, *, up: bool | None = None) -> Decimal:
        """Round to the price step: to the nearest by default, else up or down."""
        rounding = ROUND_HALF_UP if up is None else ROUND_UP if up else ROUND_DOWN
        return (price / self.price_step).quantize(Decimal(1), rounding) * self.price_step

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Round down to the quantity step: never more than was requested."""
        return quantity // self.quantity_step * self.quantity_step

    def quantity_bounds(self, order_type: OrderType) -> tuple[Decimal, Decimal | None]:
        """Return the smallest and the largest quantity of an order; None where there is no largest."""
        smallest, largest = self.min_quantity, self.max_quantity
        if order_type is OrderType.MARKET:
            smallest = smallest if self.min_market_quantity is None else self.min_market_quantity
            largest = largest if self.max_market_quantity is None else self.max_market_quantity
        return smallest, largest

    def denial(self, request: OrderRequest, *, reference_price: Decimal | None = None) -> str:
        """Return the rule that *request* breaks, or an empty string when it breaks none.

        Args:
            request: The order, in base coins.
            reference_price: Price to value a MARKET order for the notional rule; without it the venue checks that rule.
        """
        quantity, price = request.quantity, request.price
        if self.untradable_reason and not _closes(request):
            return f"symbol {self.symbol}: does not trade ({self.untradable_reason}): expected a reduce_only order"
        if not quantity.is_finite() or not (price is None or price.is_finite()):
            return f"quantity {quantity}, price {price}: expected finite numbers"
        if quantity <= 0:
            return f"quantity {quantity}: expected above zero"
        if quantity % self.quantity_step:
            return f"quantity {quantity}: expected a multiple of {self.quantity_step}"
        smallest, largest = self.quantity_bounds(request.order_type)
        if quantity < smallest:
            return f"quantity {quantity}: expected at least {smallest}"
        if largest is not None and quantity > largest:
            return f"quantity {quantity}: expected at most {largest}"
        if request.order_type is OrderType.LIMIT:
            if price is None or price <= 0:
                return f"price {price}: expected above zero for a LIMIT order"
            if price % self.price_step:
                return f"price {price}: expected a multiple of {self.price_step}"
        elif price is not None:
            return f"price {price}: expected none for a MARKET order"
        worth = price if price is not None else reference_price
        if worth is not None and not request.reduce_only and worth * quantity < self.min_notional:
            return f"notional {worth * quantity}: expected at least {self.min_notional} {self.quote_asset}"
        return ""


def _closes(request: OrderRequest) -> bool:
    """Return whether an order can only make a position smaller: in hedge mode its side alone shows it."""
    closing_side = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(request.position_side)
    return request.reduce_only or request.side is closing_side


class MarginModeScope(StrEnum):
    """What a change of the margin mode applies to."""

    NONE = "NONE"
    """Nothing: the venue has no such setting, or the adapter does not change it."""
    SYMBOL = "SYMBOL"
    ACCOUNT = "ACCOUNT"
    """Every symbol of the account at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue can do. Any other call raises `Unsupported`, and the contract suite skips its test."""

    time_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    market_orders: bool = True
    reduce_only: bool = True
    position_modes: frozenset[PositionMode] = frozenset(PositionMode)
    margin_modes: frozenset[MarginMode] = frozenset({MarginMode.CROSS})
    max_batch: int = 5
    """Items that the venue accepts in one request; the adapter splits longer batches."""
    intervals: frozenset[str] = frozenset()
    client_order_id_length: int = 32
    trading: bool = True
    """False in public-only mode."""
    order_book_depth: int = 0
    """Levels of each side that an order book has at most; 0 where there is no stream of order books."""
    public_trades: bool = False
    """Whether there is a stream of public trades."""
    mark_price: bool = False
    """Whether there is a stream of mark prices and funding rates."""
    set_leverage: bool = False
    margin_mode_scope: MarginModeScope = MarginModeScope.NONE
    """What `set_margin_mode` applies to; with NONE it raises `Unsupported`."""
    set_position_mode: bool = False
    funding_payments: bool = False
    """Whether the account's funding payments are listed and streamed."""
    amend_order: bool = False
    """Whether an open order can be amended in place. If not, cancel it and place another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeInfo:
    """Description of the exchange behind the interface."""

    name: str
    """binance, bitget, gate, okx, bybit or memory."""
    exchange_type: str
    """Always `usdt_perpetual` today."""
    capabilities: Capabilities
    symbols: tuple[SymbolRules, ...]
    """Those that trade, and those that do not while they are held, have open orders or are configured."""
    testnet: bool = False
    simulated: bool = False
    position_mode: PositionMode = PositionMode.ONE_WAY
    """The account's mode, as last found or set by this exchange."""

    def rules(self, symbol: str) -> SymbolRules | None:
        """Return the rules of *symbol*, or None if it is not traded here."""
        return next((rules for rules in self.symbols if rules.symbol == symbol), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition of health."""

    name: str
    """Stable, e.g. `venue`, `private_stream`, `clock`, `credentials`, `task:watchdog`."""
    ok: bool
    reason: str = ""
    """A sentence; may be empty when ok."""
    since_ms: int = 0
    """UTC epoch milliseconds of the last change of ok."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One stream from the venue."""

    name: str
    """E.g. `orders`, `price:BTCUSDT`."""
    connected: bool
    data_age_ms: int | None = None
    """Time since the last data, pings not counted; None before the first data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trading is halted: a connector takes no new order of the symbol, or of any."""

    halt_id: str
    """Its name; a repeated request for it renews it."""
    client: str
    """Who asked for it, as the connector knows it."""
    symbol: str = ""
    """Canonical; empty is every symbol."""
    reason: str = ""
    """What whoever asked for it says of it."""
    since_ms: int = 0
    """UTC epoch milliseconds."""
    expires_ms: int = 0
    """UTC epoch milliseconds, unless it is renewed; 0 stands until it is lifted."""

    def applies_to(self, symbol: str) -> bool:
        """Return whether new orders of a symbol are refused."""
        return self.symbol in ("", symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltedOrders:
    """A halt, and the orders that it concerns as the connector knows them."""

    halt: Halt
    in_flight: tuple[OrderRef, ...] = field(default=())
    """Sent, or being withdrawn before sending, and not proven present or absent yet."""
    open: tuple[OrderRef, ...] = field(default=())
    """Acknowledged by the venue, and their end was not reported yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Whether trading is possible now, and why not."""

    checks: tuple[Check, ...] = field(default=())
    channels: tuple[Channel, ...] = field(default=())
    clock_offset_ms: int | None = None
    """The venue's clock minus the local clock, as last measured; None where there is no such clock."""
    unresolved_orders: int = 0
    """Orders and amendments that were sent and are not proven done or not done yet."""
    halts: tuple[Halt, ...] = field(default=())
    """The halts of trading now in force. A halt is not a failure, so the checks may all be ok."""
    notices: tuple[AccountNotice, ...] = field(default=())
    """What the venue did to the account, or somebody changed on it, lately; see `Account.notices`."""
    claims: tuple[TradingClaim, ...] = field(default=())
    """Who trades what: the claims that are held now."""
    dead_machine: DeadMachineStatus | None = None
    """Whether the venue cancels the orders of lease holders when the connector's machine dies; None where nothing is
    known of it, because there is no connector or it is an earlier one."""
    account_mode: str = ""
    """The venue's term for the mode of the account, e.g. `multi-currency margin`; empty where it is not known."""
    version: str = field(default="", compare=False)
    """Version of the connector; empty where there is none."""

    @property
    def healthy(self) -> bool:
        """Whether every check is ok."""
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit of the venue, shared by all clients of one exchange."""

    name: str
    limit: int
    left: int
    window_s: float
    used_by_client: int = 0
    """Part of the window that was used by the client that calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBudget:
    """What is left of the venue's rate limits."""

    limits: tuple[RateLimit, ...] = field(default=())
    """The limits that were used since the start."""
    silent_s: float = 0.0
    """Seconds of the pause that the venue demands (Retry-After); 0 when there is none."""
    client: str = ""
    """Name of the client that calls, as the connector knows it."""
    waiting: int = 0
    """Requests of that client that are queued in the rate limiter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Asks for the right to trade a symbol by a strategy, which one program at a time holds."""

    symbol: str
    """Canonical."""
    strategy: str
    """1 to 8 letters and digits: the orders whose client order ids begin with it."""
    holder: str
    """What identifies this program, also after a restart of it: 1 to 64 printable characters."""
    description: str = ""
    """What people are shown of it, such as host and process id; 64 printable characters at most."""
    number: int = 0
    """The claim's number as it was last reported; 0 at first."""
    take_over: bool = False
    """Whether it is taken from another program that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingClaim:
    """The right to trade a symbol by a strategy: the connector refuses the orders of everybody else."""

    symbol: str
    """Canonical."""
    strategy: str
    """How the client order ids of its orders begin."""
    client: str
    """Name of the client that holds it, as the connector knows it."""
    description: str
    """What its program says of itself."""
    number: int
    """Fencing number: raised by each change of the holder. Orders under a lower one are refused."""
    since_ms: int
    """UTC epoch milliseconds."""
    expires_ms: int
    """UTC epoch milliseconds, unless it is renewed; 0 when it was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A client's lease: when it ends without a release, the connector cancels that client's orders."""

    client: str
    """Name of the client that holds it, as the connector knows it."""
    expires_ms: int
    """UTC epoch milliseconds; 0 when it was released."""
    lapsed: bool = False
    """It had ended before it was renewed: the client's orders were canceled, or are being canceled."""
    open_orders: int = 0
    """The client's orders that are open or in flight."""
    claim: TradingClaim | None = None
    """The claim that was renewed with it; None when none was, or when the connector does not know claims."""
    number: int = 0
    """Which lease of the client it is; a later one has a higher number. 0 when the connector knows no numbers."""
