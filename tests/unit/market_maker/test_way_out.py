"""Every state has a way out: positions changed from outside, lost and older databases, and nonsense from the venue."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.control.service import take_venue_reset
from opensqt.market_maker.health import problems
from opensqt.market_maker.orders.events import PriceUpdate, RulesRead, TakeVenue
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.recovery import recovered_anchor, trusted
from opensqt.market_maker.orders.stored import Header, Stored
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.errors import ConfigError
from opensqt.model.order import Fill, FillKind, Order, OrderStatus, OrderUpdate, PositionSide, Side
from tests.unit.market_maker.venue import RULES, SYMBOL, Bench, price


def outside(bench: Bench, side: Side, quantity: str, kind: FillKind = FillKind.TRADE) -> None:
    """Somebody else changes the position: by hand, or the venue."""
    number = len(bench.venue.fills)
    fill = Fill(
        symbol=SYMBOL,
        trade_id=f"outside{number}",
        order_id=f"outside{number}",
        client_order_id=f"hand{number}" if kind is FillKind.TRADE else "",
        side=side,
        position_side=PositionSide.BOTH,
        price=Decimal(995),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=False,
        kind=kind,
        event_time_ms=number + 1,
    )
    bench.venue.fills.append(fill)
    if kind is FillKind.TRADE:
        bench.venue.orders[fill.order_id] = Order(
            symbol=SYMBOL,
            side=side,
            quantity=fill.quantity,
            client_order_id=f"hand{number}",
            status=OrderStatus.FILLED,
            order_id=fill.order_id,
            filled_quantity=fill.quantity,
        )


def halted(bench: Bench) -> Bench:
    for _ in range(10):
        bench.wait(31)
    assert bench.engine.halt_reason
    return bench


def holding(levels: int = 2) -> Bench:
    bench = Bench().start(1004)
    for level in range(levels):
        bench.fill(-level)
    return bench


@pytest.mark.parametrize("kind", [FillKind.TRADE, FillKind.LIQUIDATION, FillKind.ADL])
@pytest.mark.parametrize("quantity", ["0.010", "0.045", "0.060"])
def test_a_position_that_became_smaller_is_taken_over(kind: FillKind, quantity: str) -> None:
    """F48 F10: halted until then; levels are dropped, the highest first, the history stays, and it trades again."""
    bench = holding()
    assert bench.engine.state.position == Decimal("0.060")
    outside(bench, Side.SELL, quantity, kind)
    halted(bench)
    fills = bench.engine.state.totals.fills
    bench.tell(TakeVenue(preview=True))
    assert bench.engine.takeover.startswith(f"the venue holds {bench.venue.position} BTC")
    assert "drop level 0 at 1000" in bench.engine.takeover
    assert bench.engine.halt_reason, "a preview changes nothing"
    bench.tell(TakeVenue(preview=False))
    bench.settle()
    for _ in range(10):
        bench.wait(31)
    assert bench.engine.state.position == bench.venue.position
    assert bench.engine.halt_reason == ""
    assert problems(bench.engine, bench.now) == []
    assert bench.engine.state.totals.fills == fills
    assert bench.buys


def test_the_reset_of_a_running_grid_shows_the_levels_and_takes_the_position_over() -> None:
    """F48: `opensqt reset --take-venue` asks with the preview first."""
    bench = holding()
    outside(bench, Side.SELL, "0.045")
    halted(bench)
    reset = take_venue_reset(bench.engine)
    assert any(line.startswith("drop level 0") for line in reset.preview()["levels"])
    assert bench.engine.halt_reason
    assert reset.refusal() == ""
    reset.apply(bench.now)
    assert bench.engine.state.position == bench.venue.position
    assert bench.engine.halt_reason == ""


def test_a_position_that_became_larger_is_laid_on_levels() -> None:
    """F48: from its entry price upwards, so that no level sells at a loss."""
    bench = Bench().start(1004)
    outside(bench, Side.BUY, "0.070")
    halted(bench)
    bench.tell(TakeVenue(preview=False))
    bench.wait(31)
    assert bench.engine.state.position == Decimal("0.070")
    assert min(bench.sells.values()) >= 1000
    assert not bench.engine.halt_reason


def test_a_position_that_the_grid_can_not_hold_says_what_to_do() -> None:
    """F48: a long grid holds no short position; nothing changes."""
    bench = holding()
    outside(bench, Side.SELL, "0.100")
    halted(bench)
    bench.tell(TakeVenue(preview=False))
    assert "close it with `opensqt cancel-all --flatten`" in bench.engine.takeover
    assert bench.engine.state.position == Decimal("0.060")
    reset = take_venue_reset(bench.engine)
    reset.preview()
    assert reset.refusal() == bench.engine.takeover


def test_nothing_is_taken_over_before_a_difference_is_confirmed() -> None:
    """F48: a fill may be on its way."""
    bench = holding()
    bench.tell(TakeVenue(preview=False))
    assert bench.engine.takeover.startswith("nothing to take over")


def test_exits_are_never_larger_than_the_position() -> None:
    """F19: by hand a part was sold; the nearest exit stays, the others go, and none is sent in vain."""
    bench = holding()
    assert len(bench.sells) == 2
    outside(bench, Side.SELL, "0.040")
    halted(bench)
    remaining = sum(order.remaining_quantity for order in bench.venue.open_orders if order.side is Side.SELL)
    assert Decimal(0) < remaining <= bench.venue.position
    placed = len(bench.venue.orders)
    for _ in range(50):
        bench.wait(1)
    assert len(bench.venue.orders) == placed


def test_a_new_database_takes_the_anchor_of_the_orders_that_are_open() -> None:
    """F48 F9: with another anchor the same level would have another price, and a buy would rest above it."""
    first = Bench().start(1004)
    ids = OrderIds("SQ1", SYMBOL)
    found = recovered_anchor(
        first.venue.open_orders, ids, Decimal(10), mode=GridMode.LONG, geometric=False, price_step=RULES.price_step
    )
    assert found == 1000
    second = Bench(venue=first.venue, first_sequence=100, anchor=found)
    second.tell(PriceUpdate(price(1013)))
    second.settle()
    assert second.engine.state.grid is not None
    assert second.engine.state.grid.anchor == 1000
    assert second.buys == {1: 1010, **{level: at for level, at in first.buys.items() if level > -4}}


def test_orders_that_fit_no_grid_end_the_start_with_a_sentence() -> None:
    """F48: with another interval nobody knows what level an order is of."""
    first = Bench().start(1004)
    with pytest.raises(ConfigError, match="cancel them with `opensqt cancel-all`"):
        recovered_anchor(
            first.venue.open_orders,
            OrderIds("SQ1", SYMBOL),
            Decimal(7),
            mode=GridMode.LONG,
            geometric=False,
            price_step=RULES.price_step,
        )


def test_an_older_copy_of_the_database_never_uses_a_number_again() -> None:
    """F48 F22: orders were placed since the copy was made; a repeated id would be refused, or be another order."""
    first = Bench().start(1004)
    assert first.engine.state.header is not None
    copy = Stored(header=replace(first.engine.state.header, sequence=2))
    second = Bench(stored=copy, venue=first.venue, first_sequence=1_000)
    second.move(1034)
    numbers = [second.engine.state.ids.read(name) for name in second.venue.orders]
    assert len(second.venue.orders) > 5
    assert min(sorted(one.sequence for one in numbers if one)[5:]) > 1_000


def test_a_stored_watermark_of_the_future_goes_back() -> None:
    """F48 F8: every fill before it would be hidden."""
    now_ms = 1_700_000_000_000
    header = Header(anchor=Decimal(1000), interval=Decimal(10), sequence=1, watermark_ms=now_ms + 86_400_000)
    found = trusted(Stored(header=header), sequence=now_ms).header
    assert found is not None
    assert found.watermark_ms < now_ms


def test_an_event_time_of_the_future_without_a_time_of_receipt_is_not_taken() -> None:
    """F8: the clock of this process is all that there is to compare with."""
    bench = Bench(first_sequence=1_700_000_000_000).start(1004)
    order = next(iter(bench.venue.open_orders))
    update = OrderUpdate(order=replace(order, event_time_ms=1_900_000_000_000, received_ns=0))
    bench.venue.updates.append(update)
    bench.settle()
    bench.wait(59)
    assert bench.engine.state.header is not None
    assert bench.engine.state.header.watermark_ms < 1_700_000_000_000
    assert any("time of the future" in one for one in problems(bench.engine, bench.now))


def test_a_price_of_another_symbol_is_not_traded_on() -> None:
    """F48: it was taken for ours, whatever it was."""
    bench = Bench().start(1004)
    before = bench.buys
    bench.tell(PriceUpdate(replace(price(50), symbol="ETHUSDT")))
    bench.settle()
    assert bench.engine.market is not None
    assert bench.engine.market.reference == 1004
    assert bench.buys == before


@pytest.mark.parametrize(
    ("field", "value"), [("price_step", "0"), ("price_step", "-0.1"), ("quantity_step", "NaN"), ("min_notional", "-5")]
)
def test_rules_that_make_no_sense_are_not_taken_over_and_are_reported(field: str, value: str) -> None:
    """F48: a step of 0 was a bare DivisionByZero, a negative one never ended."""
    bench = Bench().start(1004)
    bench.tell(RulesRead(replace(RULES, **{field: Decimal(value)})))  # type: ignore[arg-type]
    bench.move(1034)
    assert bench.engine.rules == RULES
    assert any(field in one for one in problems(bench.engine, bench.now))
    bench.tell(RulesRead(RULES))
    assert problems(bench.engine, bench.now) == []
