"""Settings of the market maker: the keys that users of the earlier systems know, each with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from opensqt.config.alerts import AlertsSettings
from opensqt.config.load import Section, Tree, load
from opensqt.config.remote import CLIENT_SHORTCUTS, RemoteSettings
from opensqt.config.risk import Count, NotNegative, Positive, RiskSettings
from opensqt.model.errors import ConfigError

VENUES = ("binance", "bitget", "gate", "okx", "bybit")
SHORTCUTS: Mapping[str, str] = {
    **CLIENT_SHORTCUTS,
    "SYMBOL": "trading.symbol",
    "LOG_LEVEL": "system.log_level",
}

Fraction = Annotated[Decimal, Field(gt=0, lt=1)]


class MarketMakerAppSettings(Section):
    """Exchange and database."""

    current_exchange: Literal["remote", "binance", "bitget", "gate", "okx", "bybit"] = "remote"
    """`remote` goes through the connector. A venue's name is development mode: this process holds the keys."""
    database_url: str = "sqlite:///data/market_maker.db"
    """`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`."""
    adopt_position: Literal["halt", "levels"] = "halt"
    """For a position that no slot explains: `halt` stops buying and reports it, `levels` sells it level by level."""

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        return url


class VenueAccess(Section):
    """One venue's keys (development mode only) and its fee."""

    api_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    passphrase: SecretStr = SecretStr("")
    fee_rate: NotNegative = Decimal("0.0002")
    """Maker fee as a fraction; used where the venue does not report the account's own."""
    testnet: bool = False
    base_url: str = ""
    """An address in place of the venue's own, e.g. that of an exchange-simulator."""


class ExchangesSettings(Section):
    """The connector, and the venues."""

    remote: RemoteSettings = RemoteSettings()
    binance: VenueAccess = VenueAccess()
    bitget: VenueAccess = VenueAccess()
    gate: VenueAccess = VenueAccess()
    okx: VenueAccess = VenueAccess()
    bybit: VenueAccess = VenueAccess()


class GlftSettings(Section):
    """The closed form of Guéant, Lehalle and Fernandez-Tapia; `opensqt calibrate` estimates the first three."""

    arrivals: Positive
    """Fills of an order at the reference price, per second."""
    decay: Positive
    """How fast they become fewer with the distance, per unit of quote."""
    volatility: Positive
    """Standard deviation of the price over one second, quote."""
    risk_aversion: Positive
    """More of it quotes wider and leans harder against inventory; per unit of quote and lot."""
    most_lots: Count = 10
    """Levels held at most, long or short."""


class PriceGuardSettings(Section):
    """The limits within which order book, last trade and mark price agree. Shares are of the price: 0.005 is 0.5 %."""

    max_spread: Fraction = Decimal("0.005")
    """Largest distance of the others' best bid and ask, as a share."""
    max_jump: Fraction = Decimal("0.01")
    """Largest change of the price within `jump_seconds`, as a share. A larger one has to be confirmed."""
    jump_seconds: Positive = Decimal(1)
    confirm_seconds: Positive = Decimal(2)
    """Seconds that all inputs have to agree on a jump before it is believed."""
    max_mark_distance: Fraction = Decimal("0.01")
    """Largest distance of book and last trade from the mark price, as a share."""
    book_max_age_seconds: Positive = Decimal(15)
    """Seconds after which a book without news does not count."""
    trade_max_age_seconds: Positive = Decimal(10)
    """Seconds after which the last trade does not count."""
    mark_max_age_seconds: Positive = Decimal(10)
    """Seconds after which the mark price does not count."""
    exits_after_seconds: Positive = Decimal(30)
    """Seconds without agreement after which what is held is offered at its own level's price, whatever the inputs say;
    an exit that no input speaks against is laid after 5."""


class GridTradingSettings(Section):
    """The grid. Prices and amounts are in the quote asset, USDT."""

    symbol: str = Field(default="ETHUSDT", pattern=r"^[A-Z0-9]{2,20}$")
    strategy_id: str = Field(default="SQ1", pattern=r"^[A-Za-z0-9]{3}$")
    """Three letters or digits; the first part of every client_order_id. Only orders that carry it are touched."""
    strategy: str = Field(default="grid", pattern=r"^(grid|glft|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$")
    """`grid`; `glft` quotes by a closed form around a price that leans against the inventory, and needs the section
    `glft`; `MODULE:CLASS` is a quoter of your own (examples/quoter.py)."""
    grid_mode: Literal["long", "short", "neutral"] = "long"
    """`long` buys below the price and sells one level higher, `short` mirrors it, `neutral` does both."""
    grid_step: Literal["arithmetic", "geometric"] = "arithmetic"
    """Levels at the same distance (`price_interval`) or at the same ratio (`price_interval_percent`)."""
    price_interval: Positive = Decimal(1)
    """Distance of two levels, quote."""
    price_interval_percent: Positive = Decimal("0.5")
    """Distance of two levels of a geometric grid, percent of the lower one."""
    order_quantity: Positive = Decimal(30)
    """Amount per level: QUOTE, or base coins with `order_quantity_in: base`."""
    order_quantity_in: Literal["quote", "base"] = "quote"
    """The unit of `order_quantity`."""
    lowest_price: Positive | None = None
    """No level is opened below it, quote; null lets the grid follow the price down."""
    highest_price: Positive | None = None
    """No level is opened above it, quote; null lets the grid follow the price up."""
    min_order_value: NotNegative = Decimal(6)
    """No buy worth less than this is sent, quote."""
    buy_window_size: Count = 10
    """Levels below the price that hold a buy."""
    sell_window_size: Count = 10
    """A level this far above the price, or lower, has its sell in the market."""
    reconcile_interval: Positive = Decimal(60)
    """Seconds between two comparisons with the venue."""
    order_cleanup_threshold: Count = 50
    """Live orders at most, both sides together."""
    cleanup_batch_size: Count = 10
    """Orders that are cancelled at once to make room for nearer ones."""
    margin_lock_duration_seconds: Positive = Decimal(10)
    """Seconds without buys after the venue refused one for insufficient margin; longer each time in a row."""
    position_safety_check: Count = 100
    """Levels that the account must be able to carry."""
    price_max_age_seconds: Positive = Decimal(30)
    """Seconds without a new price after which the buys are cancelled and nothing is placed until the next price."""
    price_floor: NotNegative = Decimal(0)
    """No opening order below this price, quote; 0 is no floor."""
    price_ceiling: NotNegative = Decimal(0)
    """No opening order above this price, quote; 0 is no ceiling."""
    min_spread: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    """Smallest distance of an opening order from the reference price, as a share of the price."""
    price_guard: PriceGuardSettings = PriceGuardSettings()
    dynamic_interval: bool = False
    """The interval follows the average true range, never below `price_interval`. It moves by a fifth or more, and all
    orders are cancelled before."""
    volatility_scale: Positive = Decimal(1)
    """The interval is so many times the average true range."""
    volatility_candles: Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"] = "5m"
    """Length of the candles of the average true range."""
    volatility_window: Count = 14
    """Closed candles that are averaged."""
    start_price: Positive | None = None
    """Nothing is placed until the price has crossed it, quote; null starts at once."""
    stop_below: Positive | None = None
    """The grid stops for good when the price falls to it, quote."""
    stop_above: Positive | None = None
    """The grid stops for good when the price rises to it, quote."""
    take_profit: Positive | None = None
    """The grid stops when it has made so much, realized and open, after fees and funding, quote."""
    stop_loss: Positive | None = None
    """The grid stops when it has lost so much, quote."""
    stop_closes: Literal["keep", "maker", "taker"] = "keep"
    """What is held then: `keep` offers it where it was, `maker` at the touch, `taker` closes it at once."""
    inventory_skew_factor: NotNegative = Decimal(0)
    """Part of the price that opening orders are moved by, away from the side held, when a full window is held."""
    funding_skew_factor: NotNegative = Decimal(0)
    """Opening orders are moved by so many times the next funding rate, away from the side that pays it."""
    glft: GlftSettings | None = None
    """Parameters of `strategy: glft`."""
    symbols: tuple[dict[str, Any], ...] = ()
    """Several grids in one process: each entry has its `symbol`, and the keys of this section that differ for it."""

    @model_validator(mode="after")
    def _range_has_levels(self) -> Self:
        if self.lowest_price is not None and self.highest_price is not None and self.lowest_price >= self.highest_price:
            raise ValueError(f"lowest_price {self.lowest_price}: expected below highest_price {self.highest_price}")
        return self

    @model_validator(mode="after")
    def _parameters_of_the_strategy(self) -> Self:
        if self.strategy == "glft" and self.glft is None:
            raise ValueError("glft: expected its parameters (arrivals, decay, volatility, risk_aversion)")
        if self.strategy == "glft" and self.grid_mode != "neutral":
            raise ValueError("grid_mode: expected neutral with strategy glft, which quotes both sides")
        return self

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Self:
        if self.price_ceiling and self.price_floor >= self.price_ceiling:
            raise ValueError(
                f"price_floor {self.price_floor}: expected below price_ceiling, which is {self.price_ceiling}"
            )
        return self

    @model_validator(mode="after")
    def _room_for_the_windows(self) -> Self:
        windows = self.buy_window_size + self.sell_window_size
        if self.order_cleanup_threshold < windows:
            raise ValueError(
                f"order_cleanup_threshold {self.order_cleanup_threshold}: expected at least {windows},"
                " buy_window_size and sell_window_size together"
            )
        return self


class MarketMakerSystemSettings(Section):
    """The process."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    cancel_on_exit: bool = True
    """Cancel the grid's own orders on a clean stop. Positions stay."""
    lease_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds without a heartbeat after which the connector cancels the grid's orders; 0 leaves them. Only `remote`."""
    standby: bool = False
    """Wait, connected and ready, while another market maker trades with this database, and take over within 10 seconds
    when it ends or is not heard for 5. Where none trades, begin at once. Only `remote`, with a lease."""
    control_socket: str = ""
    """Path of the socket that takes `opensqt pause` and the like; empty: beside the database, or in a folder of the
    user where that is PostgreSQL or the path is too long."""


class MarketMakerTelemetrySettings(Section):
    """The HTTP server of health, status and metrics."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free port."""
    metrics_allowed_hosts: tuple[str, ...] = ()
    """Host names of this server, besides localhost and plain addresses."""


class MarketMakerSettings(Section):
    """The whole file."""

    app: MarketMakerAppSettings = MarketMakerAppSettings()
    exchanges: ExchangesSettings = ExchangesSettings()
    trading: GridTradingSettings = GridTradingSettings()
    system: MarketMakerSystemSettings = MarketMakerSystemSettings()
    risk_control: RiskSettings = RiskSettings()
    telemetry: MarketMakerTelemetrySettings = MarketMakerTelemetrySettings()
    alerts: AlertsSettings = AlertsSettings()

    @model_validator(mode="after")
    def _symbols_are_grids(self) -> Self:
        if self.trading.symbols and "symbol" in self.trading.model_fields_set:
            raise ValueError("trading.symbol, trading.symbols: expected one of them (SYMBOL sets the first)")
        names = [grid.trading.symbol for grid in self.grids()]
        if len(set(names)) < len(names):
            raise ValueError(f"trading.symbols: {', '.join(names)}: expected each symbol once")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that are traded, in the order of the settings."""
        return tuple(grid.trading.symbol for grid in self.grids())

    def grids(self) -> tuple[Self, ...]:
        """Return the settings of each grid, with its own `trading.symbol`; just these where there is one.

        Raises:
            ValueError: An entry of `trading.symbols` is no grid.
        """
        entries = self.trading.symbols
        if not entries:
            return (self,)
        shared = self.trading.model_dump(exclude={"symbols", "symbol"}, exclude_unset=True)
        return tuple(
            self.model_copy(update={"trading": _entry(shared, number, entry)}) for number, entry in enumerate(entries)
        )

    def grid(self, symbol: str, changes: Mapping[str, str] | None = None) -> Self:
        """Return the settings of one grid.

        Args:
            symbol: One of `symbols`.
            changes: Dotted key to value; those of the section trading win over the grid's own.

        Raises:
            ConfigError: It is none of them, or a value is wrong.
        """
        given = (changes or {}).items()
        own = [(key.split(".")[1:], value) for key, value in given if key.startswith("trading.")]
        for number, found in enumerate(self.grids()):
            if found.trading.symbol == symbol:
                entry = found.trading.model_dump(exclude={"symbols"}, exclude_unset=True)
                for names, value in own:
                    section = entry
                    for name in names[:-1]:
                        section = section.setdefault(name, {})
                    section[names[-1]] = None if value == "null" else value
                try:
                    return self.model_copy(update={"trading": _entry({}, number, entry)})
                except ValueError as error:
                    raise ConfigError(str(error)) from None
        raise ConfigError(f"symbol {symbol}: expected one of {', '.join(self.symbols)}")

    def venue_access(self, venue: str) -> VenueAccess:
        """Return the section of *venue*; one with the defaults for a venue that has none."""
        return getattr(self.exchanges, venue) if venue in VENUES else VenueAccess()


def _entry(shared: Mapping[str, Any], number: int, entry: Mapping[str, Any]) -> GridTradingSettings:
    """Return the settings of one entry of `trading.symbols`."""
    if "symbol" not in entry or "symbols" in entry:
        raise ValueError(f"trading.symbols[{number}]: expected `symbol` and keys of the section trading")
    try:
        return GridTradingSettings.model_validate({**shared, **entry})
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise ValueError(f"trading.symbols[{number}] ({entry['symbol']}): {where}: {found['msg']}") from None


def load_settings(
    path: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> MarketMakerSettings:
    """Read the settings file with the environment and then the flags on top.

    Args:
        path: The YAML file; None starts from the defaults.
        environ: The environment.
        flags: As `load` takes them.

    Raises:
        ConfigError: Naming the file, the key and what was expected.
    """
    return load(
        MarketMakerSettings, path, environ=environ, shortcuts=SHORTCUTS, flags=flags, prepare=_drop_unused_exchanges
    )


def _drop_unused_exchanges(tree: Tree) -> Tree:
    """Return the tree without the keys of unused exchanges, whose variables need not be set then; fees stay."""
    app, exchanges = tree.get("app"), tree.get("exchanges")
    used = app.get("current_exchange", "remote") if isinstance(app, dict) else "remote"
    if not isinstance(exchanges, dict):
        return tree
    kept: Tree = {}
    for name, section in exchanges.items():
        if name != used and name in VENUES and isinstance(section, dict):
            kept[name] = {k: v for k, v in section.items() if not (isinstance(v, str) and "${" in v)}
        else:
            kept[name] = section
    return {**tree, "exchanges": kept}
