"""The sums of the profit: whatever happens, the parts add up to the money that was exchanged."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.model.funding import FundingPayment
from opensqt.model.order import Fill, FillKind, PositionSide, Side

EMPTY = ProfitLedger(since_ms=0)
CENT = Decimal("0.01")
amounts = st.decimals("0.001", "50", places=3)
prices = st.decimals("1", "90000", places=2)


def fill(side: Side, quantity: str | Decimal, price: str | Decimal, kind: FillKind = FillKind.TRADE) -> Fill:
    return Fill(
        symbol="BTCUSDT",
        trade_id="1",
        order_id="1",
        client_order_id="",
        side=side,
        position_side=PositionSide.BOTH,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        kind=kind,
    )


def after(ledger: ProfitLedger, trade: Fill, *, foreign: bool = False) -> ProfitLedger:
    return ledger.traded(trade, foreign=foreign)[0]


fills = st.builds(
    lambda trade, side: replace(trade, position_side=side),
    st.builds(fill, st.sampled_from(Side), amounts, prices, st.sampled_from(FillKind)),
    st.sampled_from(PositionSide),
)


@given(st.lists(st.tuples(fills, st.booleans()), max_size=30), prices)
def test_the_parts_add_up_to_the_money_exchanged(trades: list[tuple[Fill, bool]], mark: Decimal) -> None:
    """F36: any fills, of the grid, by hand or by the venue, flips included: cash and position, to the cent."""
    ledger, cash, position = EMPTY, Decimal(0), Decimal(0)
    for trade, own in trades:
        ledger, _ = ledger.traded(trade, foreign=not own)
        cash -= trade.side.sign * trade.notional
        position += trade.side.sign * trade.quantity
    assert ledger.position == position
    assert abs(ledger.trading(mark) - (cash + position * mark)) < CENT / 1000


def test_a_sale_is_counted_against_the_average_entry() -> None:
    """Two buys at 100 and 110: one sold at 108 earned 3, and the other one is open against 105."""
    ledger = EMPTY
    for trade in (fill(Side.BUY, "1", "100"), fill(Side.BUY, "1", "110"), fill(Side.SELL, "1", "108")):
        ledger = after(ledger, trade)
    assert ledger.realized == 3
    assert ledger.entry == AverageEntry(quantity=Decimal(1), cost=Decimal(105))
    assert ledger.total(Decimal(109)) == 3 + 4


def test_the_sides_of_hedge_mode_are_apart() -> None:
    """Long 1 from 100 and short 1 from 110 at once: nothing is realized, and both are open."""
    ledger = after(EMPTY, replace(fill(Side.BUY, "1", "100"), position_side=PositionSide.LONG))
    ledger = after(ledger, replace(fill(Side.SELL, "1", "110"), position_side=PositionSide.SHORT))
    assert (ledger.realized, ledger.position, ledger.open_profit(Decimal(500))) == (0, 0, 10)
    assert (ledger.entry.price, ledger.short_entry.price) == (100, 110)


def test_a_trade_through_zero_closes_and_opens() -> None:
    """Long 1 from 100, sold 3 at 90: 10 lost, short 2 from 90."""
    entry, realized = AverageEntry(quantity=Decimal(1), cost=Decimal(100)).traded(Decimal(-3), Decimal(90))
    assert (realized, entry.quantity, entry.price) == (-10, -2, 90)


def test_closes_that_the_venue_made_are_counted_as_what_they_are() -> None:
    """F50: by kind, apart from what the grid earned and from what was traded by hand."""
    ledger = after(EMPTY, fill(Side.BUY, "3", "100"))
    ledger = after(ledger, fill(Side.SELL, "1", "90", FillKind.LIQUIDATION), foreign=True)
    ledger = after(ledger, fill(Side.SELL, "1", "95", FillKind.ADL), foreign=True)
    ledger = after(ledger, fill(Side.SELL, "1", "101"), foreign=True)
    assert ledger.venue_made == {"LIQUIDATION": Decimal(-10), "ADL": Decimal(-5)}
    assert (ledger.venue_made_total, ledger.by_hand, ledger.realized) == (-15, 1, 0)
    assert ledger.total(Decimal(1)) == -14


def test_a_change_without_a_fill_is_unexplained_and_not_zero() -> None:
    """What the venue holds less is counted as closed at the price of the moment."""
    ledger = after(EMPTY, fill(Side.BUY, "2", "100")).with_position(Decimal(1), Decimal(80), 0)
    assert (ledger.unexplained, ledger.entry.quantity) == (-20, 1)


def test_the_spread_is_what_a_fill_was_away_from_the_middle() -> None:
    """Bought one under the middle and sold two over it."""
    ledger = EMPTY.with_spread(fill(Side.BUY, "1", "99"), Decimal(100))
    ledger = ledger.with_spread(fill(Side.SELL, "1", "102"), Decimal(100))
    assert (ledger.spread, ledger.spread_fills) == (3, 2)


def test_a_fee_without_a_price_is_unpriced_until_it_has_one() -> None:
    """F36: never taken as 0 in silence."""
    ledger = EMPTY.with_fee("USDT", Decimal("0.5"), Decimal("0.5")).with_fee("BNB", Decimal("0.01"), None)
    assert (ledger.fees_value, ledger.unpriced_fees) == (Decimal("0.5"), {"BNB": Decimal("0.01")})
    ledger = ledger.with_fee_priced("BNB", Decimal("0.01"), Decimal(6))
    assert (ledger.fees_value, ledger.unpriced_fees, ledger.fees["BNB"]) == (Decimal("6.5"), {}, Decimal("0.01"))


def test_funding_is_part_of_the_total_in_quote_only() -> None:
    """A payment in another asset is reported by its asset."""
    payment = FundingPayment(symbol="BTCUSDT", payment_id="1", amount=Decimal("-0.7"), event_time_ms=5)
    ledger = EMPTY.with_funding(payment, at_par=True)
    ledger = ledger.with_funding(replace(payment, asset="BTC", event_time_ms=9), at_par=False)
    assert ledger.total(Decimal(1)) == ledger.funding == Decimal("-0.7")
    assert (ledger.other_funding, ledger.newest_funding_ms) == ({"BTC": Decimal("-0.7")}, 9)
