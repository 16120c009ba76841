"""Settings of a simulated venue: its market, its accounts, its fees and its rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from opensqt.config.load import Section
from opensqt.model.account import PositionMode
from opensqt.recordings import VolumeAsset

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]


class SymbolSettings(Section):
    """One perpetual: its filters, its margin rules, and how its generated market moves."""

    symbol: str
    """Canonical, e.g. BTCUSDT."""
    base_asset: str
    quote_asset: str = "USDT"
    price_step: Positive
    quantity_step: Positive
    """Base coins."""
    min_quantity: Positive
    max_quantity: Positive = Decimal(1000)
    max_market_quantity: Positive | None = None
    """Base coins, of a market order; None is `max_quantity`."""
    min_notional: NotNegative = Decimal(5)
    """Quote. Reduce-only orders are exempt."""
    contract_size: Positive | None = None
    """Base coins, on a venue whose contract may hold several quantity steps; None takes the venue's regular one."""
    price_band: Positive = Decimal("0.05")
    """A buy may be priced this far above the mark, a sell this far below; the other direction is not limited."""
    max_open_orders: int = Field(default=200, gt=0)
    max_leverage: int = Field(default=125, gt=0)
    maintenance_rate: NotNegative = Decimal("0.004")
    """Maintenance margin, as a share of the position's value."""
    start_price: Positive
    """Start price of the generated market. A recording has its own."""
    volatility_bps: Positive = Decimal(5)
    """Standard deviation of the generated price in one second, in hundredths of a percent."""
    touch_notional: Positive = Decimal(20_000)
    """Quote: typical size of the outside participants at their best price."""

    @property
    def largest_market_order(self) -> Decimal:
        """Base coins."""
        return self.max_quantity if self.max_market_quantity is None else self.max_market_quantity


def _bitcoin() -> SymbolSettings:
    return SymbolSettings(
        symbol="BTCUSDT",
        base_asset="BTC",
        price_step=Decimal("0.10"),
        quantity_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        start_price=Decimal("45000.00"),
    )


def _ether() -> SymbolSettings:
    return SymbolSettings(
        symbol="ETHUSDT",
        base_asset="ETH",
        price_step=Decimal("0.01"),
        quantity_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(10_000),
        max_leverage=100,
        maintenance_rate=Decimal("0.005"),
        start_price=Decimal("2000.00"),
    )


class AccountSettings(Section):
    """One account that may sign in. The defaults are published and not secret."""

    key: str = "sim-key"
    secret: str = Field(default="sim-secret", repr=False)
    passphrase: str = Field(default="sim-pass", repr=False)
    balance: NotNegative = Decimal(10_000)
    """USDT deposited before the start."""
    position_mode: PositionMode = PositionMode.ONE_WAY
    account_mode: str = ""
    """One of the dialect's modes of an account; empty takes the first of them. docs/simulator.md lists them."""
    collateral: NotNegative = Decimal(0)
    """US dollars: value of other assets that serve as margin, too, in a mode in which several assets do."""
    may_trade: bool = True
    """Whether the key has the permission, as far as the venue's dialect has permissions."""
    may_withdraw: bool = False
    disconnect_protection: bool = True
    """Whether Bybit has enabled its disconnection protection (DCP) for the account."""


class VenueRules(Section):
    """Rules in which the venues' engines differ; each dialect has its own defaults."""

    post_only_crossing: Literal["refuse", "expire"] = "refuse"
    """A post-only order that would take: refused at once, or accepted and EXPIRED immediately."""
    duplicate_client_ids: Literal["never", "open", "ever"] = "open"
    """A client id is refused never, while an open order has it, or once any order had it."""
    least_notional: bool = True
    """Whether the symbols' min_notional is enforced; some venues have a minimum quantity only."""
    amended_to_filled: Literal["cancel", "refuse", "fill"] = "cancel"
    """An order that is amended to no more than what is filled: canceled, refused if it is less, or FILLED as it is."""
    amended_keeps_place: bool = True
    """Whether an order that is amended to a smaller quantity alone keeps its place in the queue."""
    most_conditional: int = Field(default=10, gt=0)
    """Conditional orders of an account that may wait in one symbol."""
    triggered_keeps_id: bool = False
    """Whether the order that a conditional order places has the same id."""
    amended_post_only: Literal["refuse", "cancel"] = "refuse"
    """A post-only order that is amended to a price that would take: left as it was, or canceled."""


class ServerRules(Section):
    """Limits of the server for its clients; the defaults are Binance's."""

    weight_per_minute: int = Field(default=2400, gt=0)
    """Request weight of one address."""
    weight_window_s: int = Field(default=60, gt=0, le=60)
    """Seconds in which Binance counts a share of it; shorter ones make a test of the limit quick."""
    orders_per_10s: int = Field(default=300, gt=0)
    """New orders of one account."""
    orders_per_minute: int = Field(default=1200, gt=0)
    ban_after: int = Field(default=10, ge=0)
    """Number of refused requests in one window that bring a ban (HTTP 418)."""
    ban_ms: int = Field(default=120_000, gt=0)
    listen_key_life_ms: int = Field(default=3_600_000, gt=0)
    """Lifetime of the key of a private stream without a keepalive."""
    user_stream_events: Literal["any", "needed", "unknown"] = "any"
    """What `events` in the address of Binance's private stream does: it selects the events, nothing is sent without it,
    or nothing is sent with it. Programs that trade there contradict each other on it."""
    messages_per_second: int = Field(default=10, gt=0)
    """Messages that a client may send over one WebSocket before it is cut."""
    socket_buffer: int = Field(default=8192, gt=0)
    """Frames that may queue for a slow reader before it is cut."""
    ping_every_ms: int = Field(default=180_000, gt=0)
    """Interval of the WebSocket pings."""
    pong_within_ms: int = Field(default=600_000, gt=0)
    """A WebSocket that answered no ping for this long is cut."""

    @property
    def weight_limit(self) -> int:
        """Request weight of one address in one window."""
        return max(1, self.weight_per_minute * self.weight_window_s // 60)

    @property
    def weight_interval(self) -> tuple[str, int]:
        """The window as Binance names it."""
        return ("MINUTE", 1) if self.weight_window_s == 60 else ("SECOND", self.weight_window_s)


class SimulatorSettings(Section):
    """All settings of one simulator."""

    exchange: str = "binance"
    host: str = "127.0.0.1"
    port: int = Field(default=9400, ge=0, le=65535)
    seed: int = 7
    replay: Path | None = None
    """A recording of bars or of trades, plain or gzip; None generates the market from the seed."""
    replay_symbol: str = "BTCUSDT"
    """The symbol of the recording; the others are generated. Without settings of its own its rules are derived."""
    replays: dict[str, tuple[Path, ...]] = Field(default_factory=dict)
    """More recordings: the files of each symbol. Files of trades and of the book of one symbol are played together."""
    replay_volume: VolumeAsset | None = None
    """What the column `volume` of recorded bars counts, where neither format nor header says it; None takes quote."""
    replay_history: int = Field(default=100, ge=0)
    """Bars of a recording that become history instead of being played."""
    past_minutes: int = Field(default=1500, ge=1)
    """Minutes of history of a generated market."""
    speed: Positive = Decimal(1)
    """Market seconds in one real second. A ledger does not depend on it: a market that is late makes its clock wait."""
    move_interval_ms: int | None = Field(default=None, gt=0)
    """Market time between two moves of a generated symbol, on average; None takes 70, and 5,000 beside a recording."""
    clock: Literal["live", "held", "manual"] = "live"
    """held: market time starts with `POST /_sim/clock`; manual: it moves only by `POST /_sim/clock`."""
    start_ms: int | None = Field(default=None, ge=0)
    """Market time at the start; None takes the wall clock's, or the recording's."""
    symbols: tuple[SymbolSettings, ...] = Field(default_factory=lambda: (_bitcoin(), _ether()))
    """Empty only where every symbol is recorded, so that its rules come from its recording."""
    accounts: tuple[AccountSettings, ...] = Field(default_factory=lambda: (AccountSettings(),))
    maker_fee: Decimal = Decimal("0.0002")
    """Share of the notional; below zero is a rebate."""
    taker_fee: Decimal = Decimal("0.0005")
    leverage: int = Field(default=10, gt=0)
    """Leverage of every account at the start, for every symbol."""
    funding_interval_h: int = Field(default=8, gt=0)
    rules: VenueRules = VenueRules()
    server: ServerRules = ServerRules()

    @property
    def recorded(self) -> dict[str, tuple[Path, ...]]:
        """The files of each symbol that is played from recordings."""
        own = {} if self.replay is None else {self.replay_symbol: (self.replay,)}
        return own | {symbol: own.get(symbol, ()) + paths for symbol, paths in self.replays.items()}

    def account(self, key: str) -> AccountSettings:
        """Return the settings of the account that *key* signs in to."""
        return next(account for account in self.accounts if account.key == key)
