"""A venue in miniature for the engine's tests: no clock and no network, and everything that can go wrong by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import EngineSettings, Phase
from opensqt.market_maker.orders.events import (
    AssetPriced,
    Cancel,
    CancelResult,
    Command,
    Event,
    FundingListed,
    ListFunding,
    OrderBatch,
    OrderQueried,
    Place,
    PlaceResult,
    PriceAsset,
    PriceUpdate,
    QueryOrder,
    ReadRules,
    Reconcile,
    Reconciled,
    RulesRead,
)
from opensqt.market_maker.orders.stored import Changes, Stored
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.model.account import Account, Position
from opensqt.model.errors import (
    ExchangeError,
    OrderNotFound,
    OutcomeUnknown,
    PostOnlyWouldCross,
    UnknownSymbol,
    Unreachable,
)
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Price
from opensqt.model.order import (
    Fill,
    MarginMode,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionSide,
    Side,
)
from opensqt.model.venue import SymbolRules

SYMBOL = "BTCUSDT"
RULES = SymbolRules(
    symbol=SYMBOL,
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    min_notional=Decimal(5),
)
FEE = Decimal("0.0002")
UNLIMITED = ReferenceSettings(max_spread=Decimal("0.9"), max_jump=Decimal("0.9"), confirm_s=0, book_max_age_s=1e9)
"""Limits that no price of these tests exceeds; the reference price has tests of its own."""


def settings(**changes: object) -> EngineSettings:
    """A grid of 10 USDT at 1000, 30 USDT a level, with the limits given by name."""
    grid = GridSettings(
        order_quantity=Decimal(30),
        min_order_value=Decimal(6),
        buy_window=5,
        sell_window=5,
        max_open_orders=12,
        cleanup_batch=3,
    )
    own = {name: changes.pop(name) for name in list(changes) if name in GridSettings.__dataclass_fields__}
    base = EngineSettings(
        symbol=SYMBOL,
        strategy_id="SQ1",
        interval=Decimal(10),
        grid=replace(grid, **own),
        position_side=PositionSide.BOTH,
        adopt_position="halt",
        reconcile_interval_s=60,
        margin_lock_s=10,
        price_max_age_s=30,
        first_sequence=1,
        reference=UNLIMITED,
    )
    return replace(base, **changes)


def price(at: int | str | Decimal) -> Price:
    """A quote one step wide under and over *at*."""
    middle = Decimal(at)
    return Price(
        symbol=SYMBOL,
        bid=middle - Decimal("0.1"),
        ask=middle + Decimal("0.1"),
        bid_quantity=Decimal(100),
        ask_quantity=Decimal(100),
        event_time_ms=1,
    )


class MiniVenue:
    """Orders and fills, exact and at once; the test decides what of it the engine hears, and when."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.updates: list[OrderUpdate] = []
        self.refuse: type[ExchangeError] | None = None
        self.rules = RULES
        self.opening = Decimal(0)
        """Base coins held from before."""
        self.account: Account | None = None
        self.leverage: Decimal | None = None
        self.margin_mode = MarginMode.CROSS
        self.payments: list[FundingPayment] = []
        self.prices: dict[str, Decimal | ExchangeError] = {}
        """Of fee assets, in quote."""

    @property
    def position(self) -> Decimal:
        return sum((fill.side.sign * fill.quantity for fill in self.fills), self.opening)

    @property
    def open_orders(self) -> list[Order]:
        return [order for order in self.orders.values() if order.status.is_open]

    def place(self, request: OrderRequest) -> Order:
        assert request.client_order_id not in self.orders, "an id was sent twice"
        order = Order(
            symbol=SYMBOL,
            side=request.side,
            quantity=request.quantity,
            client_order_id=request.client_order_id,
            status=OrderStatus.OPEN,
            order_id=str(1000 + len(self.orders)),
            price=request.price,
            reduce_only=request.reduce_only,
        )
        return self._note(order)

    def cancel(self, ref: OrderRef) -> Order | ExchangeError:
        order = self.orders.get(ref.client_order_id)
        if order is None:
            return OrderNotFound("no such order")
        return order if order.status.is_closed else self._note(replace(order, status=OrderStatus.CANCELED))

    def fill(self, client_order_id: str, quantity: Decimal | None = None) -> Fill:
        order = self.orders[client_order_id]
        assert order.status.is_open
        assert order.price is not None
        part = min(quantity or order.remaining_quantity, order.remaining_quantity)
        filled = order.filled_quantity + part
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED
        fill = Fill(
            symbol=SYMBOL,
            trade_id=str(len(self.fills) + 1),
            order_id=order.order_id,
            client_order_id=client_order_id,
            side=order.side,
            position_side=PositionSide.BOTH,
            price=order.price,
            quantity=part,
            fee=part * order.price * FEE,
            fee_asset="USDT",
            is_maker=True,
            event_time_ms=len(self.fills) + 1,
        )
        self.fills.append(fill)
        self._note(replace(order, status=status, filled_quantity=filled), fill)
        return fill

    def find(self, ref: OrderRef) -> Order | ExchangeError:
        for order in self.orders.values():
            if ref.client_order_id == order.client_order_id or (ref.order_id and ref.order_id == order.order_id):
                return order
        return OrderNotFound("no such order")

    def snapshot(self, *, since_ms: int = 0) -> Reconciled:
        """Position, open orders and fills; the trade list does not name client ids, as at Binance."""
        fills = tuple(replace(fill, client_order_id="") for fill in self.fills if fill.event_time_ms >= since_ms)
        position = Position(
            symbol=SYMBOL,
            quantity=self.position,
            entry_price=Decimal(1000),
            leverage=self.leverage,
            margin_mode=self.margin_mode,
        )
        return Reconciled((position,), tuple(self.open_orders), fills, self.account)

    def _note(self, order: Order, fill: Fill | None = None) -> Order:
        self.orders[order.client_order_id] = order
        self.updates.append(OrderUpdate(order=order, fill=fill))
        return order


class Bench:
    """Runs an engine against a `MiniVenue`; by default every command is answered at once and all news arrive."""

    def __init__(
        self,
        stored: Stored | None = None,
        venue: MiniVenue | None = None,
        risk: RiskControls | None = None,
        **changes: object,
    ) -> None:
        self.venue = venue or MiniVenue()
        self.now = 0.0
        self.engine = GridEngine(settings(**changes), RULES, stored or Stored(), now=self.now, risk=risk)
        self.changes: list[Changes] = []
        self.commands: list[Command] = []

    def tell(self, event: Event) -> None:
        """Hand one event in and keep the commands that follow."""
        self.engine.handle(event, self.now)
        self.think()

    def think(self) -> None:
        self.commands += self.engine.decide(self.now)
        self.changes.append(self.engine.state.take_changes())

    def start(self, at: int | str = 1000) -> Bench:
        """Set the anchor to 1000, show a price, and answer until the grid rests."""
        self.tell(PriceUpdate(price(1000)))
        self.tell(PriceUpdate(price(at)))
        self.settle()
        return self

    def move(self, at: int | str | Decimal) -> None:
        """Show another price and answer until the grid rests."""
        self.tell(PriceUpdate(price(at)))
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, then answer until the grid rests."""
        self.now += seconds
        if isinstance(newest := self.engine.prices.data.newest, Price):
            self.engine.handle(PriceUpdate(newest), self.now)
        self.think()
        self.settle()

    def settle(self) -> None:
        """Answer commands and deliver news until there are none left."""
        for _ in range(1000):
            if not self.commands and not self.venue.updates:
                return
            while self.commands:
                for event in self.answer(self.commands.pop(0)):
                    self.tell(event)
            self.deliver()
        raise AssertionError("the grid never comes to rest")

    def deliver(self) -> None:
        news, self.venue.updates = tuple(self.venue.updates), []
        if news:
            self.tell(OrderBatch(news, gap=False))

    def answer(self, command: Command) -> list[Event]:
        """Carry out a command as a venue that is well, and answer what comes back."""
        match command:
            case Place(requests):
                return [PlaceResult(request.client_order_id, self.place(request)) for request in requests]
            case Cancel(refs):
                return [CancelResult(ref.client_order_id, self.venue.cancel(ref)) for ref in refs]
            case QueryOrder(ref):
                return [OrderQueried(ref, self.venue.find(ref))]
            case Reconcile(since_ms):
                return [self.venue.snapshot(since_ms=since_ms)]
            case ReadRules():
                return [RulesRead(self.venue.rules)]
            case ListFunding(since_ms):
                return [FundingListed([paid for paid in self.venue.payments if paid.event_time_ms >= since_ms])]
            case PriceAsset(asset, minute_ms):
                unknown = UnknownSymbol(f"{asset}USDT is not traded")
                return [AssetPriced(asset, minute_ms, self.venue.prices.get(asset, unknown))]
        raise AssertionError(command)

    def place(self, request: OrderRequest) -> Order | ExchangeError:
        if self.venue.refuse is not None:
            return self.venue.refuse("refused by the test")
        return self.venue.place(request)

    def fill(self, level: int, quantity: str | None = None) -> None:
        """Fill the live order of a level, and let the grid hear of it."""
        order = self.engine.state.slot(level).order
        assert order is not None, f"level {level} has no order"
        self.venue.fill(order.client_order_id, Decimal(quantity) if quantity else None)
        self.settle()

    def live(self, side: Side) -> dict[int, Decimal]:
        """Level to price of the orders that the venue works."""
        found = {}
        for order in self.venue.open_orders:
            name = self.engine.state.ids.read(order.client_order_id)
            if order.side is side and name is not None and order.price is not None:
                found[name.level] = order.price
        return dict(sorted(found.items(), reverse=True))

    @property
    def buys(self) -> dict[int, Decimal]:
        return self.live(Side.BUY)

    @property
    def sells(self) -> dict[int, Decimal]:
        return self.live(Side.SELL)

    @property
    def running(self) -> bool:
        return self.engine.phase is Phase.RUNNING


LOST_REPLY = OutcomeUnknown
NEVER_SENT = Unreachable
WOULD_CROSS = PostOnlyWouldCross


class Sure:
    """A hold that is renewed all the time, until it is not."""

    def __init__(self, *, renewed: bool = True) -> None:
        self.renewed = renewed

    def is_sure(self, symbol: str, now: float) -> bool:
        return self.renewed
