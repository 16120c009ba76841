"""What a venue is and can do: symbol rules, capabilities, and whether it is well."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import OrderRequest, OrderType, TimeInForce


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
    """Base coins per contract; what the adapter converts with. Told for information only."""
    max_leverage: Decimal | None = None
    maker_fee: Decimal | None = None
    """Rate, e.g. 0.0002; None when the account's own is not known."""
    taker_fee: Decimal | None = None

    def round_price(self, price: Decimal, *, up: bool | None = None) -> Decimal:
        """Round to the price step: to the nearest by default, else up or down."""
        rounding = ROUND_HALF_UP if up is None else ROUND_UP if up else ROUND_DOWN
        return (price / self.price_step).quantize(Decimal(1), rounding) * self.price_step

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Round down to the quantity step: never more than was asked for."""
        return (quantity / self.quantity_step).quantize(Decimal(1), ROUND_DOWN) * self.quantity_step

    def denial(self, request: OrderRequest, *, reference_price: Decimal | None = None) -> str:
        """Say which rule *request* breaks, or an empty string when it breaks none.

        Args:
            request: The order, in base coins.
            reference_price: Values a MARKET order for the notional rule; without it that rule is left to the venue.
        """
        quantity, price = request.quantity, request.price
        if not quantity.is_finite() or not (price is None or price.is_finite()):
            return f"quantity {quantity}, price {price}: expected finite numbers"
        if quantity <= 0:
            return f"quantity {quantity}: expected above zero"
        if quantity % self.quantity_step:
            return f"quantity {quantity}: expected a multiple of {self.quantity_step}"
        if quantity < self.min_quantity:
            return f"quantity {quantity}: expected at least {self.min_quantity}"
        if self.max_quantity is not None and quantity > self.max_quantity:
            return f"quantity {quantity}: expected at most {self.max_quantity}"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a venue can do. A call beyond it raises `Unsupported`, and the contract suite skips by it."""

    time_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    market_orders: bool = True
    reduce_only: bool = True
    position_modes: frozenset[PositionMode] = frozenset(PositionMode)
    margin_modes: frozenset[MarginMode] = frozenset({MarginMode.CROSS})
    max_batch: int = 5
    """Items the venue takes in one request; longer batches are split below the protocol."""
    intervals: frozenset[str] = frozenset()
    client_order_id_length: int = 32
    trading: bool = True
    """False in public-only mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeInfo:
    """The answer to "what is behind this interface"."""

    name: str
    """binance, bitget, gate, okx, bybit or memory."""
    exchange_type: str
    """Always `usdt_perpetual` today."""
    capabilities: Capabilities
    symbols: tuple[SymbolRules, ...]
    testnet: bool = False
    simulated: bool = False
    position_mode: PositionMode = PositionMode.ONE_WAY
    """The account's, as found at start."""

    def rules(self, symbol: str) -> SymbolRules | None:
        """The rules of *symbol*, or None if it is not traded here."""
        return next((rules for rules in self.symbols if rules.symbol == symbol), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that health depends on."""

    name: str
    """Stable, e.g. `venue`, `private_stream`, `clock`, `credentials`, `task:watchdog`."""
    ok: bool
    reason: str = ""
    """Plain sentence; empty when ok needs no words."""
    since_ms: int = 0
    """UTC epoch milliseconds of the last change of ok."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One stream from the venue."""

    name: str
    """E.g. `orders`, `price:BTCUSDT`."""
    connected: bool
    data_age_ms: int | None = None
    """Since the last data came, pings don't count; None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Whether trading is possible now, and why not."""

    checks: tuple[Check, ...] = field(default=())
    channels: tuple[Channel, ...] = field(default=())
    clock_offset_ms: int | None = None
    """The venue's clock minus ours, as last measured; None where there is no such clock."""
    unresolved_orders: int = 0
    """Orders that were sent and are not proven present or absent yet."""

    @property
    def healthy(self) -> bool:
        """Whether every check is ok."""
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit of the venue, shared by all who trade through one exchange."""

    name: str
    limit: int
    left: int
    window_s: float
    used_by_client: int = 0
    """What the requests of the one who asks used of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBudget:
    """What is left of what the venue grants."""

    limits: tuple[RateLimit, ...] = field(default=())
    """Those that were drawn on since the start."""
    silent_s: float = 0.0
    """How long the venue still asks for silence."""
    client: str = ""
    """Who asks, as the connector knows it."""
    waiting: int = 0
    """Requests of the one who asks that wait for their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A client's promise to be there: when it ends, the connector cancels that client's orders."""

    client: str
    """Who holds it, as the connector knows it."""
    expires_ms: int
    """UTC epoch milliseconds; 0 when it was given up."""
    lapsed: bool = False
    """It had ended before it was renewed: the client's orders were canceled, or are being."""
    open_orders: int = 0
    """The client's orders that are open or in flight."""
