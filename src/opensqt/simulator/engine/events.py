"""Events that the engine publishes to its subscribers, in the order they happened."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from opensqt.model.account import MarginMode
from opensqt.model.order import PositionSide
from opensqt.simulator.engine.conditional import ConditionalChange, SimConditional
from opensqt.simulator.engine.order import SimFill, SimOrder

BookLevel = tuple[Decimal, Decimal]
"""Price and quantity in base coins; quantity zero means that the level is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTicker:
    """The best bid and ask changed. Price and quantity are zero on an empty side."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    update_id: int
    """Id of the last book change in it."""
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthUpdate:
    """The levels that one step of the book changed, with their new quantities.

    Ids have no holes: each update's first id is the previous one's last id plus one.
    """

    symbol: str
    first_update_id: int
    last_update_id: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTrade:
    """One public trade."""

    symbol: str
    trade_id: str
    aggregate_id: int
    """Id shared by the trades of one taker at one price."""
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCandle:
    """One bar."""

    symbol: str
    interval: str
    """A key of `opensqt.model.market.INTERVALS_MS`, or of DERIVED."""
    open_time_ms: int
    close_time_ms: int
    """The last millisecond that belongs to the bar."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Base coins."""
    quote_volume: Decimal
    taker_buy_volume: Decimal
    """Base coins bought by takers."""
    taker_buy_quote_volume: Decimal
    trades: int
    first_trade_id: str
    """Id of the first trade; empty for a bar without trades of this run."""
    last_trade_id: str
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleUpdate:
    """A bar changed, or closed."""

    candle: SimCandle
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimMark:
    """The mark price, published at most once a market second, and the next funding."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    """Rate that the next funding will be charged at, as far as known."""
    next_funding_ms: int
    time_ms: int


class Execution(StrEnum):
    """The change of an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    CUT = "CUT"
    """A reduce-only order was reduced because the position shrank."""
    AMENDED = "AMENDED"
    """Its owner changed its price or its quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An order of an account changed; `fill` is set exactly when execution is TRADE."""

    account: str
    order: SimOrder
    execution: Execution
    fill: SimFill | None
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalChanged:
    """A conditional order of an account changed; when it triggers, the events of its order follow."""

    account: str
    conditional: SimConditional
    change: ConditionalChange
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """One position at the current mark."""

    symbol: str
    position_side: PositionSide
    quantity: Decimal
    """Base coins, signed; a hedge-mode SHORT is negative too."""
    entry_price: Decimal
    """Average price; zero when flat."""
    mark_price: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    """Profit since the start, before fees."""
    leverage: int
    margin_mode: MarginMode
    funding: Decimal
    """Quote received as funding since the position was opened; below zero was paid."""
    initial_margin: Decimal
    """Margin of the position itself."""
    order_margin: Decimal
    """Margin of the open orders beyond the position's."""
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    updated_ms: int

    @property
    def notional(self) -> Decimal:
        """Quote, signed: quantity at the mark price."""
        return self.quantity * self.mark_price


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """The margin asset of an account at the current marks."""

    asset: str
    wallet_balance: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    """Margin of positions and open orders together."""
    position_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal
    available_balance: Decimal
    """Balance that new orders may use; never below zero."""
    realized_pnl: Decimal
    """Profit since the start, before fees."""
    fees: Decimal
    """Fees paid since the start."""
    funding: Decimal
    """Funding received since the start; a negative amount was paid."""
    updated_ms: int
    collateral: Decimal = Decimal(0)
    """US dollars: value of other assets that serve as margin, too."""

    @property
    def margin_balance(self) -> Decimal:
        """Wallet balance and open profit together."""
        return self.wallet_balance + self.unrealized_pnl

    @property
    def total_margin_balance(self) -> Decimal:
        """The same, and the other assets that serve as margin."""
        return self.margin_balance + self.collateral


class AccountReason(StrEnum):
    """The cause of a change of balance or position."""

    ORDER = "ORDER"
    FUNDING = "FUNDING"
    LIQUIDATION = "LIQUIDATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged:
    """The balance or positions of an account changed; `positions` are the changed ones."""

    account: str
    reason: AccountReason
    balance: BalanceView
    balance_change: Decimal
    """Change of the wallet balance, fees and profit included."""
    positions: tuple[PositionView, ...]
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged:
    """The leverage or the margin mode of a symbol changed."""

    account: str
    symbol: str
    leverage: int
    margin_mode: MarginMode
    margin_mode_changed: bool
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPaid:
    """One position's funding; an `AccountChanged` follows."""

    account: str
    symbol: str
    position_side: PositionSide
    amount: Decimal
    """Quote received; a negative amount was paid."""
    rate: Decimal
    mark_price: Decimal
    quantity: Decimal
    """Base coins of the position, signed."""
    payment_id: int
    """Increasing over the whole venue."""
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCall:
    """Liquidation is near; published once until the account has recovered."""

    account: str
    balance: BalanceView
    positions: tuple[PositionView, ...]
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """The venue closes the account's positions; order events with this reason follow."""

    account: str
    balance: BalanceView
    positions: tuple[PositionView, ...]
    time_ms: int


Event = (
    BookTicker
    | DepthUpdate
    | SimTrade
    | CandleUpdate
    | SimMark
    | OrderChanged
    | ConditionalChanged
    | AccountChanged
    | SettingsChanged
    | FundingPaid
    | MarginCall
    | Liquidation
)
