"""Events that the engine handles and commands that it returns: plain values, so that it can be replayed offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.inputs import MarkUpdate as MarkUpdate
from opensqt.market_maker.strategy.inputs import OrderBookUpdate as OrderBookUpdate
from opensqt.market_maker.strategy.inputs import PriceInput as PriceInput
from opensqt.market_maker.strategy.inputs import PriceUpdate as PriceUpdate
from opensqt.market_maker.strategy.inputs import TradeUpdate as TradeUpdate
from opensqt.market_maker.strategy.quoter import PriceRange
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.market_maker.strategy.triggers import TriggerSettings
from opensqt.model.account import Account, Position
from opensqt.model.errors import ExchangeError
from opensqt.model.funding import FundingPayment
from opensqt.model.immutable import immutable
from opensqt.model.market import Candle
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderUpdate
from opensqt.model.venue import SymbolRules


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """A batch of the orders stream."""

    updates: tuple[OrderUpdate, ...]
    gap: bool
    """Continuity is not proven (a snapshot, or a gap that the stream reported): compare with the venue."""


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """The result of one order of a `Place`."""

    client_order_id: str
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class CancelResult:
    """The result of one order of a `Cancel`."""

    client_order_id: str
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class OrderQueried:
    """The result of a `QueryOrder`."""

    ref: OrderRef
    outcome: Order | ExchangeError


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The venue's state, queried in this order: each part is at least as new as the one before it."""

    positions: tuple[Position, ...]
    open_orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    account: Account | None = None
    """Queried before the others; None when that failed, which proves nothing."""


@dataclass(frozen=True, slots=True)
class ReconcileFailed:
    """The venue could not be queried; that proves nothing."""

    error: ExchangeError


@dataclass(frozen=True, slots=True)
class FundingBatch:
    """A batch of the stream of funding payments."""

    payments: tuple[FundingPayment, ...]
    gap: bool
    """Continuity is not proven: query the payments."""


@dataclass(frozen=True, slots=True)
class FundingListed:
    """The result of a `ListFunding`."""

    outcome: Sequence[FundingPayment] | ExchangeError


@dataclass(frozen=True, slots=True)
class AssetPriced:
    """The result of a `PriceAsset`."""

    asset: str
    minute_ms: int
    outcome: Decimal | ExchangeError
    """Quote for one unit; a RequestError says that the asset has no price at this venue."""


@dataclass(frozen=True, slots=True)
class MinuteBegan:
    """A minute of the wall clock began: the history gets a row."""

    minute_ms: int
    """UTC epoch milliseconds."""
    account_equity: Decimal | None
    """Quote; None where it could not be queried."""


AccountEvent = FundingBatch | FundingListed | AssetPriced | MinuteBegan


@dataclass(frozen=True, slots=True)
class RangeCandles:
    """Candles of the symbol for the average true range, in any order; the same one may come again."""

    candles: tuple[Candle, ...]


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The process has to end."""

    cancel_orders: bool


@dataclass(frozen=True, slots=True)
class PositionUpdate:
    """The newest report of a position, of any symbol of the account."""

    position: Position


@dataclass(frozen=True, slots=True)
class RulesRead:
    """The result of a `ReadRules`; None when the venue does not list the symbol."""

    rules: SymbolRules | None


@dataclass(frozen=True, slots=True)
class AccountUpdate:
    """The newest balance of the account."""

    account: Account
    now_ms: int
    """UTC epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class CandlesUpdate:
    """Candles of a watched symbol, oldest first; the last may still be forming."""

    candles: tuple[Candle, ...]


@dataclass(frozen=True, slots=True)
class MonitorSymbolMissing:
    """A symbol that was to be watched has no candles at the venue, or none for this client."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallTimed:
    """How long a call took that places orders."""

    milliseconds: float


@immutable
class GridExposure:
    """What a grid holds and may come to hold, quote."""

    held: Decimal
    """Value of its position."""
    entries: Decimal
    """What its entries may add to it, when all of one side are filled: the larger side."""
    window: Decimal
    """What a full window of entries is worth."""


@dataclass(frozen=True, slots=True)
class OtherGridsChanged:
    """What the other grids of the process hold and may come to hold, by symbol."""

    grids: Mapping[str, GridExposure]


RiskEvent = PositionUpdate | AccountUpdate | CandlesUpdate | MonitorSymbolMissing | CallTimed | OtherGridsChanged
"""Events that only the risk controls handle."""


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The database is not writable, or is again."""

    problem: str
    """Why nothing new may be placed; empty while it is writable."""


@dataclass(frozen=True, slots=True)
class TakeVenue:
    """Somebody asks to take the venue's position over: levels are dropped or laid until they explain it."""

    preview: bool
    """Only say what would change."""


@dataclass(frozen=True, slots=True)
class PlaceAbandoned:
    """The orders of a `Place` were not sent, and never will be: the database stored their intents too late."""

    client_order_ids: tuple[str, ...]


class PauseMode(StrEnum):
    """What a pause by a person keeps away."""

    NONE = ""
    ENTRIES = "entries"
    """Exits stay and are placed."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class PauseChanged:
    """A person paused the grid, or lifted the pause."""

    mode: PauseMode


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSettingsChanged:
    """A person changed settings. Times in seconds; what is None stays."""

    grid: GridSettings
    reconcile_interval_s: float
    margin_lock_s: float
    price_max_age_s: float
    price_range: PriceRange | None = None
    reference: ReferenceSettings | None = None
    triggers: TriggerSettings | None = None
    limits: object = None
    """`RiskLimits`, a value that only the risk controls read."""


@dataclass(frozen=True, slots=True)
class ResetRequested:
    """A person resets what has stopped."""

    name: str


OperatorEvent = PauseChanged | GridSettingsChanged | ResetRequested

Event = (
    PriceInput
    | OrderBatch
    | PlaceResult
    | CancelResult
    | OrderQueried
    | Reconciled
    | ReconcileFailed
    | StopRequested
    | RangeCandles
    | RulesRead
    | RiskEvent
    | StoreChanged
    | TakeVenue
    | PlaceAbandoned
    | AccountEvent
    | OperatorEvent
)


@dataclass(frozen=True, slots=True)
class Place:
    """Send these orders; their intents are committed before that."""

    requests: tuple[OrderRequest, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel these orders."""

    refs: tuple[OrderRef, ...]


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """Query one order at the venue."""

    ref: OrderRef


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Query position, open orders and fills at the venue."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class ReadRules:
    """Query the venue's symbol rules."""


@dataclass(frozen=True, slots=True)
class ListFunding:
    """Query the funding payments at the venue."""

    since_ms: int


@dataclass(frozen=True, slots=True)
class PriceAsset:
    """Query what an asset in which fees are paid was worth."""

    asset: str
    minute_ms: int
    """Start of the minute, UTC epoch milliseconds."""


Command = Place | Cancel | QueryOrder | Reconcile | ReadRules | ListFunding | PriceAsset


@immutable
class GridFill:
    """A fill, the level it belongs to, and its profit there."""

    fill: Fill
    level: int
    profit: Decimal
    """Quote, against the average cost of the level, before fees."""
    average_profit: Decimal | None = None
    """Quote, against the average entry of the whole position, before fees; None in fills of older programs."""
    mid: Decimal | None = None
    """The middle of the book at its time, quote; None where it is not known."""
    fees_value: Decimal | None = None
    """Quote: all its fees at the prices of their time; None while one has no price."""
