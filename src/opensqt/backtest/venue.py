"""The simulated venue without its sockets: carries out a grid's commands, and reports in the model's terms."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opensqt.market_maker.orders.events import (
    Cancel,
    CancelResult,
    CandlesUpdate,
    Command,
    Event,
    OrderBatch,
    OrderQueried,
    Place,
    PlaceResult,
    QueryOrder,
    RangeCandles,
    Reconcile,
    Reconciled,
)
from opensqt.market_maker.strategy.inputs import MarkUpdate, OrderBookUpdate, PriceUpdate, TradeUpdate
from opensqt.model.account import Account, Position
from opensqt.model.errors import (
    ExchangeError,
    InsufficientMargin,
    OrderNotFound,
    OrderRejected,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
)
from opensqt.model.market import MAX_DEPTH, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import Fill, FillKind, Order, OrderRef, OrderRequest, OrderUpdate, Side
from opensqt.model.venue import SymbolRules
from opensqt.simulator.engine.engine import BookSnapshot, SimEngine
from opensqt.simulator.engine.events import (
    BookTicker,
    CandleUpdate,
    OrderChanged,
    PositionView,
    SimCandle,
    SimMark,
    SimTrade,
)
from opensqt.simulator.engine.events import Event as SimEvent
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder, is_liquidation
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

_REFUSALS: dict[RefusalReason, type[ExchangeError]] = {
    RefusalReason.INSUFFICIENT_MARGIN: InsufficientMargin,
    RefusalReason.POST_ONLY_WOULD_CROSS: PostOnlyWouldCross,
    RefusalReason.REDUCE_ONLY: ReduceOnlyRefused,
    RefusalReason.UNKNOWN_ORDER: OrderNotFound,
}
_NS = 1_000_000


class BacktestVenue:
    """One account of a simulated venue, and one symbol of it.

    Args:
        engine: The matching engine.
        symbol: The symbol that is traded.
        post: Called with each event in the order it happened.
        watched: Interval of the candles for the risk monitor; None posts none.
        ranged: Interval of the candles for the average true range; None posts none.
    """

    def __init__(
        self,
        engine: SimEngine,
        symbol: str,
        post: Callable[[Event], None],
        *,
        watched: str | None = None,
        ranged: str | None = None,
    ) -> None:
        self._engine = engine
        self._symbol = symbol
        self._post = post
        self._watched = watched
        self._ranged = ranged
        self.account = engine.account_keys()[0]
        engine.subscribe(self._on_event)

    def price(self) -> Price:
        """Return the best bid and ask now."""
        return _price(self._engine.best(self._symbol))

    def prices(self) -> list[Event]:
        """Return the price inputs as they are now, but the last trade."""
        return [PriceUpdate(self.price()), MarkUpdate(_mark(self._engine.mark(self._symbol)))]

    def past_candles(self) -> list[Event]:
        """Return the candles from before the start, as far as the data has any."""
        found: list[Event] = []
        if self._watched is not None:
            found.append(CandlesUpdate(self._past(self._watched)))
        if self._ranged is not None:
            found.append(RangeCandles(self._past(self._ranged)))
        return found

    def _past(self, interval: str) -> tuple[Candle, ...]:
        return tuple(_candle(each, self._engine.now_ms()) for each in self._engine.candles(self._symbol, interval))

    def carry_out(self, command: Command) -> None:
        """Carry out one command, and post its results."""
        match command:
            case Cancel(refs):
                for ref in refs:
                    self._post(CancelResult(ref.client_order_id, self._cancel(ref)))
            case Place(requests):
                for request in requests:
                    self._post(PlaceResult(request.client_order_id, self._place(request)))
            case QueryOrder(ref):
                self._post(OrderQueried(ref, self._find(ref)))
            case Reconcile(since_ms):
                self._post(self._reconciled(since_ms))

    def _place(self, request: OrderRequest) -> Order | ExchangeError:
        wanted = NewOrder(
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            price=request.price,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            position_side=request.position_side,
            client_order_id=request.client_order_id,
        )
        try:
            return model_order(self._engine.place(self.account, wanted))
        except Refused as refused:
            return _error(refused)

    def _cancel(self, ref: OrderRef) -> Order | ExchangeError:
        try:
            return model_order(
                self._engine.cancel(
                    self.account, ref.symbol, order_id=ref.order_id, client_order_id=ref.client_order_id
                )
            )
        except Refused as refused:
            if refused.reason is RefusalReason.ORDER_CLOSED:
                return self._find(ref)
            return _error(refused)

    def _find(self, ref: OrderRef) -> Order | ExchangeError:
        try:
            found = self._engine.find(
                self.account, ref.symbol, order_id=ref.order_id, client_order_id=ref.client_order_id
            )
        except Refused as refused:
            return _error(refused)
        return model_order(found)

    def _reconciled(self, since_ms: int) -> Reconciled:
        engine, account = self._engine, self.account
        positions = tuple(model_position(view) for view in engine.positions(account, self._symbol))
        orders = tuple(model_order(order) for order in engine.open_orders(account, self._symbol))
        fills = tuple(model_fill(fill) for fill in engine.fills(account, self._symbol, since_ms=since_ms))
        return Reconciled(positions, orders, fills, self._model_account())

    def _model_account(self) -> Account:
        balance = self._engine.balance(self.account)
        return Account(
            asset=balance.asset,
            wallet_balance=balance.wallet_balance,
            available_balance=balance.available_balance,
            unrealized_pnl=balance.unrealized_pnl,
            event_time_ms=balance.updated_ms,
        )

    def _on_event(self, event: SimEvent) -> None:
        match event:
            case BookTicker() if event.symbol == self._symbol:
                self._on_best(event)
            case SimTrade() if event.symbol == self._symbol:
                self._post(TradeUpdate(_trade(event)))
            case SimMark() if event.symbol == self._symbol:
                self._post(MarkUpdate(_mark(event)))
            case CandleUpdate(candle=candle) if candle.symbol == self._symbol:
                self._on_candle(candle, event.time_ms)
            case OrderChanged() if event.account == self.account and event.order.symbol == self._symbol:
                fill = model_fill(event.fill) if event.fill is not None else None
                self._post(OrderBatch((OrderUpdate(order=model_order(event.order), fill=fill),), gap=False))

    def _on_candle(self, candle: SimCandle, time_ms: int) -> None:
        if candle.interval == self._watched:
            self._post(CandlesUpdate((_candle(candle, time_ms),)))
        if candle.interval == self._ranged:
            self._post(RangeCandles((_candle(candle, time_ms),)))

    def _on_best(self, best: BookTicker) -> None:
        """Post the best bid and ask; the levels behind them only where an order of the account may be the best."""
        if any(order.price in (best.bid, best.ask) for order in self._engine.open_orders(self.account, self._symbol)):
            self._post(OrderBookUpdate(_book(self._engine.book(self._symbol, MAX_DEPTH))))
        self._post(PriceUpdate(_price(best)))


def symbol_rules(settings: SimulatorSettings, rules: SymbolSettings) -> SymbolRules:
    """Return the rules of a symbol as an exchange reports them."""
    return SymbolRules(
        symbol=rules.symbol,
        base_asset=rules.base_asset,
        quote_asset=rules.quote_asset,
        price_step=rules.price_step,
        quantity_step=rules.quantity_step,
        min_quantity=rules.min_quantity,
        min_notional=rules.min_notional,
        max_quantity=rules.max_quantity,
        max_leverage=Decimal(rules.max_leverage),
        maker_fee=settings.maker_fee,
        taker_fee=settings.taker_fee,
    )


def model_order(order: SimOrder) -> Order:
    """Return a simulated order in the model's terms."""
    return Order(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        client_order_id=order.client_order_id,
        status=order.status,
        order_id=order.order_id,
        order_type=order.order_type,
        price=order.price,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        position_side=order.position_side,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price or None,
        reason=order.closing_reason.value if order.status.is_closed else "",
        event_time_ms=order.updated_ms,
        received_ns=order.updated_ms * _NS,
    )


def model_fill(fill: SimFill) -> Fill:
    """Return a simulated fill in the model's terms."""
    liquidation = is_liquidation(fill)
    return Fill(
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        client_order_id=fill.client_order_id,
        side=fill.side,
        position_side=fill.position_side,
        price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        is_maker=fill.is_maker,
        realized_pnl=fill.realized_pnl,
        kind=FillKind.LIQUIDATION if liquidation else FillKind.TRADE,
        event_time_ms=fill.time_ms,
        received_ns=fill.time_ms * _NS,
    )


def model_position(view: PositionView) -> Position:
    """Return a simulated position in the model's terms."""
    return Position(
        symbol=view.symbol,
        quantity=view.quantity,
        entry_price=view.entry_price,
        position_side=view.position_side,
        mark_price=view.mark_price,
        unrealized_pnl=view.unrealized_pnl,
        liquidation_price=view.liquidation_price,
        leverage=Decimal(view.leverage),
        margin_mode=view.margin_mode,
        event_time_ms=view.updated_ms,
    )


def _price(best: BookTicker) -> Price:
    return Price(
        symbol=best.symbol,
        bid=best.bid,
        ask=best.ask,
        bid_quantity=best.bid_quantity,
        ask_quantity=best.ask_quantity,
        event_time_ms=best.time_ms,
        received_ns=best.time_ms * _NS,
    )


def _book(book: BookSnapshot) -> OrderBook:
    return OrderBook(
        symbol=book.symbol,
        bids=book.bids,
        asks=book.asks,
        sequence=book.last_update_id,
        event_time_ms=book.time_ms,
        received_ns=book.time_ms * _NS,
    )


def _trade(trade: SimTrade) -> PublicTrade:
    return PublicTrade(
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        price=trade.price,
        quantity=trade.quantity,
        side=Side.SELL if trade.buyer_is_maker else Side.BUY,
        event_time_ms=trade.time_ms,
        received_ns=trade.time_ms * _NS,
    )


def _candle(candle: SimCandle, time_ms: int) -> Candle:
    return Candle(
        symbol=candle.symbol,
        interval=candle.interval,
        open_time_ms=candle.open_time_ms,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        quote_volume=candle.quote_volume,
        closed=candle.closed,
        event_time_ms=time_ms,
        received_ns=time_ms * _NS,
    )


def _mark(mark: SimMark) -> MarkPrice:
    return MarkPrice(
        symbol=mark.symbol,
        mark=mark.mark_price,
        index=mark.index_price,
        funding_rate=mark.funding_rate,
        next_funding_ms=mark.next_funding_ms,
        event_time_ms=mark.time_ms,
        received_ns=mark.time_ms * _NS,
    )


def _error(refused: Refused) -> ExchangeError:
    return _REFUSALS.get(refused.reason, OrderRejected)(refused.message, venue_code=refused.reason.value)
