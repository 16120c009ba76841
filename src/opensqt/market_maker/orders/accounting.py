"""The account of a grid: counts fills, fees and funding payments once each, and keeps what changed for the store.

The sums are in `profit`; here is what they need from the venue (payments, prices of fee assets) and what was counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.orders.account_changes import (
    AccountingChanges,
    FeesValued,
    ForeignFill,
    StoredAccounting,
)
from opensqt.market_maker.orders.events import (
    AssetPriced,
    Command,
    FundingBatch,
    FundingListed,
    GridFill,
    ListFunding,
    PriceAsset,
)
from opensqt.market_maker.profit.fees import MINUTE_MS, AwaitedFee, AwaitedFees
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.market_maker.profit.markout import Markout, Markouts
from opensqt.market_maker.profit.sequence import CountedTrade, TradeSequence
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot, snapshot
from opensqt.model.errors import ExchangeError, RequestError, Unsupported
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Fill, PositionSide
from opensqt.service.backoff import BackoffTimer
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.profit")

LIST_EVERY_S = 3600.0
"""Seconds between two queries of the funding payments, besides those after a gap."""
FUNDING_OVERLAP_MS = 3_600_000
"""Payments are queried from this long before the newest: a venue may list one late."""
PRICE_MAX_AGE_S = 30.0
"""A price that is older says nothing about a fill's spread and markout."""
LATE_MS = 5_000
"""A fill that is older than the newest price by more was found by a query: its own price is not known."""
REMEMBERED_PAYMENTS = 2_000
DAY_MS = 86_400_000


class Accounting:
    """The profit of one grid.

    Args:
        stored: What the database has.
        symbol: Of the grid.
        quote_asset: The asset that everything is valued in.
        position_sides: Of the grid's positions; in hedge mode the other one is not its business.
    """

    def __init__(
        self,
        stored: StoredAccounting,
        *,
        symbol: str,
        quote_asset: str,
        position_sides: Collection[PositionSide],
        now: float,
    ) -> None:
        self.quote_asset = quote_asset
        self._at_par = {quote_asset}
        """Assets whose unit is one of quote."""
        self.ledger = stored.ledger
        self.markouts = Markouts(stored.markouts, max_age_s=PRICE_MAX_AGE_S)
        self.mark: Decimal | None = None
        """The mark price; None while it is not known."""
        self.funding_problem = ""
        """Why funding payments are not counted; empty while they are."""
        self._symbol = symbol
        self._sides = {PositionSide.BOTH, *position_sides}
        self._awaited = AwaitedFees(stored.awaited)
        self._payment_ids: OrderedDict[str, None] = OrderedDict.fromkeys(stored.payment_ids)
        self._now = now
        self._mid: Decimal | None = None
        self._mid_at = float("-inf")
        self._mid_ms = 0
        self._list_due = now
        self._list_retry = BackoffTimer(base_s=1, cap_s=300)
        self._price_retry = BackoffTimer(base_s=1, cap_s=60)
        self._prices: dict[str, tuple[int, Decimal]] = {}
        """By fee asset: a minute and the price in it."""
        self._asking = False
        self._listing = False
        self._dirty = stored.rebuilt
        self._foreign: list[ForeignFill] = []
        self._valued: list[FeesValued] = []
        self._trades = TradeSequence(stored.trades)
        self._revised: list[CountedTrade] = []
        self._payments: list[FundingPayment] = []
        self._minutes: list[ProfitSnapshot] = []
        self._day = stored.day
        self._day_changed = False

    @property
    def valuation_price(self) -> Decimal | None:
        """The price that the position is valued at: the mark, or the middle of the book where there is none."""
        return self.mark or self._mid

    def begin(self, since_ms: int) -> None:
        """Count from this venue time on, if nothing was counted yet."""
        if self.ledger is None:
            self._set(ProfitLedger(since_ms=since_ms))

    def book_in(self, asset: str) -> None:
        """Count an asset at par with quote: the venue books profit and fees in it, such as Binance's credits."""
        if asset in self._at_par or not asset:
            return
        self._at_par.add(asset)
        if self.ledger is not None:
            for fee in tuple(self._awaited):
                self._value_fees(asset, fee.minute_ms, Decimal(1))
            self._set(self.ledger.at_par(asset))

    def tick(self, now: float) -> None:
        """Let time pass: markouts are noted at the price that held until now."""
        if now != self._now:
            self._now = now
            self.markouts.advance(now, self._mid, self._mid_at)

    def on_price(self, price: Decimal, time_ms: int) -> None:
        """Take the newest trusted price with the venue's time of it; call `tick` before."""
        self._mid, self._mid_at = price, self._now
        self._mid_ms = time_ms

    def count(self, fill: Fill, level: int, profit: Decimal) -> GridFill:
        """Count a fill of a level of the grid, and return it with its parts of the profit."""
        mid = self._mid_of(fill)
        realized = self._count_trade(fill, foreign=False)
        if mid is not None:
            self._set(self._ledger().with_spread(fill, mid))
        value = self._count_fees(fill, foreign=False)
        if mid is not None:
            self.markouts.add(
                Markout(
                    trade_id=fill.trade_id,
                    level=level,
                    side=fill.side,
                    price=fill.price,
                    quantity=fill.quantity,
                    mid=mid,
                    time_ms=fill.event_time_ms,
                ),
                self._now,
            )
        return GridFill(fill=fill, level=level, profit=profit, average_profit=realized, mid=mid, fees_value=value)

    def count_foreign(self, fill: Fill) -> bool:
        """Count a fill that no order of the grid made, and return whether it is one of the grid's position and time."""
        before = self.ledger
        if before is None or fill.position_side not in self._sides or fill.event_time_ms < before.since_ms:
            return False
        profit = self._count_trade(fill, foreign=True)
        self._set(self._ledger().with_foreign_fill())
        value = self._count_fees(fill, foreign=True)
        self._foreign.append(ForeignFill(fill=fill, average_profit=profit, fees_value=value))
        _log.warning(
            "fill that no order of this grid made",
            kind=fill.kind,
            trade_id=fill.trade_id,
            side=fill.side,
            quantity=str(fill.quantity),
            price=str(fill.price),
            profit=str(profit),
        )
        return True

    def set_position(self, quantity: Decimal, price: Decimal, *, side: PositionSide = PositionSide.BOTH) -> None:
        """Take over the venue's position, where it is another one than the counted fills explain.

        Args:
            quantity: Base coins, signed.
            price: What was added is taken in at it; what is gone counts as closed at it.
            side: In hedge mode that which differs.
        """
        ledger = self._ledger()
        if quantity != ledger.position:
            self._set(ledger.with_position(quantity, price, self._trades.newest_ms, side=side))
            self._trades.clear()

    def handle(self, event: FundingBatch | FundingListed | AssetPriced, now: float) -> None:
        """Handle what the venue reports."""
        match event:
            case FundingBatch(payments, gap):
                self._count_payments(payments)
                if gap:
                    self._list_due = now
            case FundingListed(outcome):
                self._on_listed(outcome, now)
            case AssetPriced(asset, minute_ms, outcome):
                self._on_priced(asset, minute_ms, outcome, now)

    def record_minute(
        self, minute_ms: int, account_equity: Decimal | None, *, round_trips: Decimal, volume: Decimal, fills: int
    ) -> None:
        """Keep the sums of the profit as they are at the start of a minute."""
        mark = self.valuation_price
        if self.ledger is None or mark is None:
            return
        taken = snapshot(
            self.ledger,
            time_ms=minute_ms,
            mark=mark,
            round_trips=round_trips,
            volume=volume,
            fills=fills,
            account_equity=account_equity,
        )
        self._minutes.append(taken)
        day_ms = minute_ms - minute_ms % DAY_MS
        of_day = replace(taken, time_ms=day_ms)
        if self._day is None or self._day.end.time_ms != day_ms:
            self._day = ProfitDay(end=of_day, lowest=taken.total, highest=taken.total)
        else:
            self._day = self._day.after(of_day)
        self._day_changed = True

    def take_commands(self, now: float) -> list[Command]:
        """Return the queries that are due."""
        commands: list[Command] = []
        ledger = self.ledger
        if ledger is not None and self._list_due <= now and not self._listing and self._list_retry.until <= now:
            self._listing = True
            self._list_due = now + LIST_EVERY_S
            newest_ms = ledger.newest_funding_ms - FUNDING_OVERLAP_MS
            commands.append(ListFunding(max(ledger.since_ms, newest_ms)))
        wanted = self._awaited.next_wanted()
        if wanted is not None and not self._asking and self._price_retry.until <= now:
            self._asking = True
            commands.append(PriceAsset(*wanted))
        return commands

    @property
    def changed(self) -> bool:
        """Whether `take_changes` would return anything."""
        return bool(
            self._dirty or self._foreign or self._payments or self._minutes or self._valued or self.markouts.changed
        )

    def take_changes(self) -> AccountingChanges:
        """Return the changes since the last call."""
        if not self.changed:
            return _UNCHANGED
        changes = AccountingChanges(
            ledger=self.ledger if self._dirty else None,
            awaited=tuple(self._awaited),
            foreign_fills=tuple(self._foreign),
            fees_valued=tuple(self._valued),
            revised=tuple(self._revised),
            payments=tuple(self._payments),
            markouts=self.markouts.take_changed(),
            minutes=tuple(self._minutes),
            day=self._day if self._day_changed else None,
        )
        self._dirty = self._day_changed = False
        self._foreign, self._valued, self._payments, self._minutes, self._revised = [], [], [], [], []
        return changes

    def _ledger(self) -> ProfitLedger:
        if self.ledger is None:
            raise RuntimeError("the account has not begun")
        return self.ledger

    def _set(self, ledger: ProfitLedger) -> None:
        self.ledger, self._dirty = ledger, True

    def _count_trade(self, fill: Fill, *, foreign: bool) -> Decimal:
        """Count a trade at its place in the venue's order, and return what it realized."""
        ledger, realized, changed = self._trades.insert(self._ledger(), fill, foreign=foreign)
        self._set(ledger)
        self._revised += changed
        return realized

    def _mid_of(self, fill: Fill) -> Decimal | None:
        """Return the middle at the time of a fill; None when it is not known."""
        late = fill.event_time_ms < self._mid_ms - LATE_MS
        stale = self._now - self._mid_at > PRICE_MAX_AGE_S
        return None if late or stale else self._mid

    def _count_fees(self, fill: Fill, *, foreign: bool) -> Decimal | None:
        """Count the fees of a fill, and return their value in quote; None when a price is missing."""
        value, left = Decimal(0), []
        for asset, amount in fill.fees.items():
            known = self._value(asset, amount, fill.event_time_ms)
            self._set(self._ledger().with_fee(asset, amount, known))
            if known is None:
                left.append((asset, amount))
            else:
                value += known
        if not left:
            return value
        self._awaited.add(
            AwaitedFee(
                trade_id=fill.trade_id, foreign=foreign, time_ms=fill.event_time_ms, value=value, left=tuple(left)
            )
        )
        return None

    def _value(self, asset: str, amount: Decimal, time_ms: int) -> Decimal | None:
        """Return what a fee is worth in quote, if the price of its minute is known already."""
        if asset in self._at_par or not amount:
            return amount
        minute_ms, price = self._prices.get(asset, (-1, Decimal(0)))
        return amount * price if minute_ms == time_ms - time_ms % MINUTE_MS else None

    def _count_payments(self, payments: Iterable[FundingPayment]) -> None:
        for payment in payments:
            ledger = self.ledger
            if (
                ledger is None  # the listing that follows has it
                or payment.payment_id in self._payment_ids
                or payment.symbol != self._symbol
                or payment.position_side not in self._sides
                or payment.event_time_ms < ledger.since_ms
            ):
                continue
            self._payment_ids[payment.payment_id] = None
            if len(self._payment_ids) > REMEMBERED_PAYMENTS:
                self._payment_ids.popitem(last=False)
            self._set(ledger.with_funding(payment, at_par=payment.asset in self._at_par))
            self._payments.append(payment)
            _log.info("funding", amount=str(payment.amount), asset=payment.asset, payment_id=payment.payment_id)

    def _on_listed(self, outcome: Sequence[FundingPayment] | ExchangeError, now: float) -> None:
        self._listing = False
        if isinstance(outcome, Unsupported):
            self._list_due = float("inf")
            self.funding_problem = "the exchange does not report funding payments: they are no part of the profit"
        elif isinstance(outcome, ExchangeError):
            self._list_retry.record_failure(now)
            self._list_due = now
            self.funding_problem = f"funding payments can't be queried: {outcome.message}"
        else:
            self._list_retry.reset()
            self.funding_problem = ""
            self._count_payments(outcome)

    def _on_priced(self, asset: str, minute_ms: int, outcome: Decimal | ExchangeError, now: float) -> None:
        self._asking = False
        if isinstance(outcome, RequestError):
            _log.warning("fee asset without a price: its fees are reported as unpriced", asset=asset)
            self._awaited.drop(asset)
            self._dirty = True
        elif isinstance(outcome, ExchangeError):
            self._price_retry.record_failure(now)
        else:
            self._price_retry.reset()
            self._prices[asset] = (minute_ms, outcome)
            self._value_fees(asset, minute_ms, outcome)

    def _value_fees(self, asset: str, minute_ms: int, price: Decimal) -> None:
        for priced in self._awaited.price(asset, minute_ms, price):
            self._set(self._ledger().with_fee_priced(asset, priced.amount, priced.value))
            fee = priced.fee
            if not fee.left and not fee.partial:
                self._valued.append(FeesValued(fee.trade_id, fee.foreign, fee.value))


_UNCHANGED = AccountingChanges()
