"""The account of a grid: everything once, whatever the venue repeats and whenever the process ends."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.orders.account_changes import AccountingChanges, StoredAccounting
from opensqt.market_maker.orders.events import FundingBatch, FundingListed, MinuteBegan, OrderBatch
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.model.account import Account
from opensqt.model.errors import ExchangeError, Unreachable, Unsupported
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Fill, FillKind, Order, OrderStatus, OrderUpdate, PositionSide, Side
from tests.unit.market_maker.venue import SYMBOL, Bench

PAID = FundingPayment(symbol=SYMBOL, payment_id="77", amount=Decimal("-0.25"), event_time_ms=50)


def ledger(bench: Bench) -> ProfitLedger:
    found = bench.engine.state.accounting.ledger
    assert found is not None
    return found


def changes(bench: Bench) -> list[AccountingChanges]:
    return [one.accounting for one in bench.changes if one.accounting]


def by_venue(kind: FillKind, quantity: str, price: str, number: int = 900, fee_asset: str = "USDT") -> Fill:
    return Fill(
        symbol=SYMBOL,
        trade_id=str(number),
        order_id=f"v{number}",
        client_order_id="",
        side=Side.SELL,
        position_side=PositionSide.BOTH,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal("0.01"),
        fee_asset=fee_asset,
        is_maker=False,
        kind=kind,
        event_time_ms=number,
    )


def by_hand(bench: Bench, side: Side, quantity: str, price: str, number: int) -> Fill:
    """Trade on the grid's account with an order of somebody else."""
    fill = replace(by_venue(FillKind.TRADE, quantity, price, number), side=side, client_order_id=f"byhand{number}")
    bench.venue.orders[fill.client_order_id] = Order(
        symbol=SYMBOL,
        side=side,
        quantity=fill.quantity,
        client_order_id=fill.client_order_id,
        status=OrderStatus.FILLED,
        order_id=fill.order_id,
        filled_quantity=fill.quantity,
    )
    return fill


def see(bench: Bench, fill: Fill) -> None:
    """Let the venue's trade list have a fill, and the grid ask for it."""
    bench.venue.fills.append(fill)
    bench.wait(61)


def test_a_payment_counts_once_by_stream_and_by_query() -> None:
    """F8 F50: repeated in a snapshot, listed again, and of another symbol or side."""
    bench = Bench().start(1004)
    bench.venue.payments = [PAID]
    others = (replace(PAID, symbol="ETHUSDT"), replace(PAID, payment_id="78", position_side=PositionSide.SHORT))
    bench.tell(FundingBatch((PAID, *others), gap=True))
    bench.settle()
    bench.tell(FundingBatch((PAID,), gap=False))
    assert (ledger(bench).funding, ledger(bench).funding_payments) == (Decimal("-0.25"), 1)
    assert [payment for one in changes(bench) for payment in one.payments] == [PAID]


def test_a_payment_of_the_downtime_is_found_by_the_start() -> None:
    """F50: what was paid while no process ran."""
    first = Bench().start(1004)
    stored = Stored(
        header=first.engine.state.header,
        accounting=StoredAccounting(ledger=ledger(first), payment_ids=("77",)),
    )
    first.venue.payments = [PAID, replace(PAID, payment_id="79", amount=Decimal(2), event_time_ms=60)]
    again = Bench(stored, first.venue).start(1004)
    assert ledger(again).funding == 2


def test_after_a_gap_of_the_stream_the_payments_are_queried() -> None:
    """F50: the one that the stream lost is found."""
    bench = Bench().start(1004)
    bench.venue.payments = [PAID]
    bench.tell(FundingBatch((), gap=True))
    bench.settle()
    assert ledger(bench).funding == PAID.amount


def test_payments_before_the_grid_began_are_not_its_own() -> None:
    """The account may have paid for years."""
    bench = Bench().start(1004)
    assert ledger(bench).since_ms > 0
    bench.tell(FundingBatch((replace(PAID, event_time_ms=0),), gap=False))
    assert ledger(bench).funding_payments == 0


@pytest.mark.parametrize("error", [Unreachable("no answer"), Unsupported("no such list")])
def test_payments_that_cannot_be_queried_are_reported(error: ExchangeError) -> None:
    """Asked again after a back-off where that makes sense, and said in /status."""
    bench = Bench().start(1004)
    accounting = bench.engine.state.accounting
    accounting.handle(FundingListed(error), bench.now)
    assert accounting.funding_problem
    bench.venue.payments = [PAID]
    bench.wait(2)
    assert bool(accounting.funding_problem) == isinstance(error, Unsupported)
    assert ledger(bench).funding_payments == (0 if isinstance(error, Unsupported) else 1)


@pytest.mark.parametrize("kind", [FillKind.LIQUIDATION, FillKind.ADL, FillKind.INSURANCE, FillKind.SETTLEMENT])
def test_a_close_by_the_venue_is_counted_as_what_it_is(kind: FillKind) -> None:
    """F50: once, with its fee, though the levels still hold what is gone."""
    bench = Bench().start(1004)
    bench.fill(0)
    held = bench.engine.state.position
    see(bench, by_venue(kind, str(held), "900"))
    bench.wait(61)
    counted = ledger(bench)
    assert counted.venue_made == {kind.value: (900 - 1000) * held}
    assert (counted.entry.quantity, counted.foreign_fills) == (0, 1)
    assert counted.fees_value == sum((fill.fee for fill in bench.venue.fills), Decimal(0))
    assert [one.fill.trade_id for change in changes(bench) for one in change.foreign_fills] == ["900"]


def test_a_trade_by_hand_is_neither_the_grids_nor_lost() -> None:
    """F50: of the same account and symbol, with a client id that is not of this grid."""
    bench = Bench().start(1004)
    bench.fill(0)
    see(bench, by_hand(bench, Side.SELL, "0.010", "1010", 900))
    assert ledger(bench).by_hand == Decimal("0.10")
    assert ledger(bench).realized == 0


def test_a_fee_is_valued_at_the_price_of_its_minute_and_stored_with_its_fill() -> None:
    """F36: BNB has a price, points have none."""
    bench = Bench().start(1004)
    bench.venue.prices = {"BNB": Decimal(600)}
    order = next(order for order in bench.venue.open_orders if order.side is Side.BUY)
    fill = replace(bench.venue.fill(order.client_order_id), fee=Decimal("0.001"), fee_asset="BNB")
    bench.venue.updates.clear()
    bench.tell(OrderBatch((OrderUpdate(order=bench.venue.orders[order.client_order_id], fill=fill),), gap=False))
    assert ledger(bench).unpriced_fees == {"BNB": Decimal("0.001")}
    bench.settle()
    assert (ledger(bench).fees_value, ledger(bench).unpriced_fees) == (Decimal("0.6"), {})
    (valued,) = [one for change in changes(bench) for one in change.fees_valued]
    assert (valued.trade_id, valued.value, valued.foreign) == (fill.trade_id, Decimal("0.6"), False)


def test_the_price_of_a_fee_is_asked_for_until_there_is_one() -> None:
    """An exchange that does not answer is no reason to take a fee for 0."""
    bench = Bench().start(1004)
    bench.venue.prices = {"BNB": Unreachable("no answer")}
    order = next(order for order in bench.venue.open_orders if order.side is Side.BUY)
    fill = replace(bench.venue.fill(order.client_order_id), fee=Decimal("0.001"), fee_asset="BNB")
    bench.venue.updates.clear()
    bench.tell(OrderBatch((OrderUpdate(order=bench.venue.orders[order.client_order_id], fill=fill),), gap=False))
    bench.settle()
    bench.wait(1)
    assert ledger(bench).unpriced_fees == {"BNB": Decimal("0.001")}
    bench.venue.prices = {"BNB": Decimal(500)}
    bench.wait(10)
    assert (ledger(bench).fees_value, ledger(bench).unpriced_fees) == (Decimal("0.5"), {})


def test_what_the_venue_books_in_counts_at_par() -> None:
    """Binance's credits have no market: fees and funding in them are worth what they say, those from before too."""
    bench = Bench().start(1004)
    bench.venue.prices = {"BNFCR": Unreachable("no answer")}
    order = next(order for order in bench.venue.open_orders if order.side is Side.BUY)
    fill = replace(bench.venue.fill(order.client_order_id), fee=Decimal("0.3"), fee_asset="BNFCR")
    bench.venue.updates.clear()
    bench.tell(OrderBatch((OrderUpdate(order=bench.venue.orders[order.client_order_id], fill=fill),), gap=False))
    bench.tell(FundingBatch((replace(PAID, asset="BNFCR"),), gap=False))
    assert ledger(bench).unpriced_fees == {"BNFCR": Decimal("0.3")}
    bench.venue.account = Account(
        asset="BNFCR", wallet_balance=Decimal(100), unrealized_pnl=Decimal(0), available_balance=Decimal(100)
    )
    bench.wait(61)
    after = ledger(bench)
    assert (after.fees_value, after.unpriced_fees, after.funding) == (Decimal("0.3"), {}, PAID.amount)
    assert [one.value for change in changes(bench) for one in change.fees_valued] == [Decimal("0.3")]


def test_each_minute_has_its_sums_and_each_day_its_extremes() -> None:
    """The history of equity: the day keeps its last minute, its lowest and its highest total."""
    bench = Bench().start(1004)
    bench.fill(0)
    totals = []
    for minute, at in enumerate((1005, 990, 1001)):
        bench.move(at)
        bench.tell(MinuteBegan(86_400_000 + minute * 60_000, Decimal(10_000)))
        totals.append(ledger(bench).total(Decimal(at)))
    minutes = [taken for change in changes(bench) for taken in change.minutes]
    assert [taken.total for taken in minutes] == totals
    day = [change.day for change in changes(bench) if change.day][-1]
    assert (day.end.time_ms, day.end.total) == (86_400_000, totals[-1])
    assert (day.lowest, day.highest) == (min(totals), max(totals))


def test_a_position_assigned_to_levels_is_taken_in_at_its_entry_price() -> None:
    """Its open profit from before is not the grid's to count as realized."""
    bench = Bench(adopt_position="levels")
    bench.venue.fills.append(by_hand(bench, Side.BUY, "0.030", "1000", 0))
    bench.start(1004)
    for _ in range(8):
        bench.wait(2)
    assert bench.engine.state.position == Decimal("0.030")
    assert (ledger(bench).entry.quantity, ledger(bench).entry.cost) == (Decimal("0.030"), 30)
    assert ledger(bench).realized_total == 0
