"""The rules of the grid, each on a venue in miniature."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import structlog
from structlog.testing import capture_logs

from opensqt.market_maker.engine_settings import Phase
from opensqt.market_maker.health import problems
from opensqt.market_maker.metrics import MarketMakerMetrics
from opensqt.market_maker.orders.events import (
    OrderBatch,
    OrderQueried,
    Place,
    PlaceResult,
    PriceUpdate,
    QueryOrder,
    Reconcile,
    ReconcileFailed,
    StopRequested,
)
from opensqt.market_maker.orders.slots import SlotState
from opensqt.market_maker.status import status
from opensqt.model.errors import (
    DuplicateOrder,
    InsufficientMargin,
    OrderNotFound,
    OutcomeUnknown,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
    TradingHalted,
    Unreachable,
)
from opensqt.model.order import (
    Fee,
    Fill,
    FillKind,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderUpdate,
    PositionSide,
    Side,
)
from tests.unit.market_maker.venue import SYMBOL, Bench, MiniVenue, price


def test_the_anchor_is_the_first_price_and_stays() -> None:
    bench = Bench()
    bench.tell(PriceUpdate(price("1003.26")))
    bench.move(1040)
    assert bench.engine.state.grid is not None
    assert bench.engine.state.grid.anchor == Decimal("1003.3")


def test_buys_fill_the_window_below_the_price() -> None:
    assert Bench().start(1004).buys == {0: 1000, -1: 990, -2: 980, -3: 970, -4: 960}


def test_nothing_is_placed_before_the_venue_was_compared() -> None:
    bench = Bench()
    bench.tell(PriceUpdate(price(1000)))
    assert [type(command) for command in bench.commands] == [Reconcile]


def test_a_filled_buy_is_offered_one_interval_higher() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    assert bench.sells == {0: 1010}
    assert 0 not in bench.buys


def test_a_filled_sell_frees_its_level_for_a_buy() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    bench.fill(0)
    assert 0 in bench.buys
    assert bench.engine.state.totals.profit == Decimal("0.30")


def test_sells_are_post_only_and_reduce_only() -> None:
    bench = Bench().start(1004)
    bench.venue.fill(next(o.client_order_id for o in bench.venue.open_orders if o.price == 1000))
    bench.deliver()
    [sell] = [one for command in bench.commands if isinstance(command, Place) for one in command.requests]
    assert (sell.side, sell.reduce_only, sell.time_in_force.value) == (Side.SELL, True, "POST_ONLY")


def test_a_buy_that_leaves_the_window_is_cancelled() -> None:
    bench = Bench().start(1004)
    bench.move(1034)
    assert bench.buys == {3: 1030, 2: 1020, 1: 1010, 0: 1000, -1: 990}


def test_a_price_that_trembles_between_two_levels_moves_no_order() -> None:
    bench = Bench().start(1004)
    before = len(bench.venue.orders)
    for at in ("1005.5", "1004.5", "1006", "1004.2") * 5:
        bench.move(at)
    assert len(bench.venue.orders) == before


def test_a_filled_level_is_kept_whatever_its_distance() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    bench.move(700)
    assert bench.engine.state.slot(0).quantity > 0
    bench.move(1004)
    assert bench.sells == {0: 1010}


def test_a_level_beyond_the_sell_window_is_not_offered() -> None:
    bench = Bench(sell_window=2).start(1004)
    bench.venue.fill(next(o.client_order_id for o in bench.venue.open_orders if o.price == 1000))
    bench.engine.handle(PriceUpdate(price(960)), bench.now)
    bench.settle()
    assert bench.sells == {}


def test_a_buy_filled_in_part_and_cancelled_leaves_its_level_with_the_part() -> None:
    bench = Bench().start(1004)
    bench.fill(-4, "0.010")
    bench.move(1044)
    assert bench.engine.state.slot(-4).quantity == Decimal("0.010")
    assert bench.sells[-4] > 1040


def test_a_sell_filled_in_part_leaves_the_rest() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    bench.fill(0, "0.010")
    assert bench.engine.state.slot(0).quantity == Decimal("0.020")
    assert bench.engine.state.slot(0).state is SlotState.LOCKED


def test_live_orders_stay_within_the_threshold() -> None:
    bench = Bench(max_open_orders=10, buy_window=5, sell_window=5).start(1004)
    for at in range(1004, 900, -10):
        bench.move(at)
        for level in list(bench.buys):
            if bench.buys[level] > at:
                bench.fill(level)
        assert len(bench.venue.open_orders) <= 10


def test_the_cleaner_cancels_the_furthest_and_spares_what_is_filled_in_part() -> None:
    bench = Bench(max_open_orders=8, buy_window=4, sell_window=4, cleanup_batch=3).start(1004)
    for level in (0, -1, -2, -3):
        bench.fill(level)
        bench.move(1004 + 10 * (level - 1))
    bench.fill(0, "0.005")
    bench.move(934)
    assert 0 in bench.sells, "filled in part"
    assert -1 not in bench.sells, "the furthest of the others"


def test_a_fill_is_counted_once_however_often_it_is_told() -> None:
    """F8: by stream, again by stream, by query."""
    bench = Bench().start(1004)
    bench.fill(0)
    fill = bench.venue.fills[0]
    order = bench.venue.orders[fill.client_order_id]
    for _ in range(3):
        bench.tell(_seen(order, fill))
    bench.tell(OrderBatch((), gap=True))
    bench.settle()
    assert bench.engine.state.totals.fills == 1
    assert bench.engine.state.position == fill.quantity


def test_a_fill_that_crosses_its_cancel_is_counted() -> None:
    """F4: the cancel was answered first, with nothing filled."""
    bench = Bench().start(1004)
    order = bench.engine.state.slot(-4).order
    assert order is not None
    fill = bench.venue.fill(order.client_order_id, Decimal("0.010"))
    bench.venue.updates.clear()
    canceled = replace(
        bench.venue.orders[order.client_order_id], status=OrderStatus.CANCELED, filled_quantity=Decimal(0)
    )
    bench.tell(_seen(canceled))
    bench.tell(_seen(bench.venue.orders[order.client_order_id], fill))
    assert bench.engine.state.slot(-4).quantity == Decimal("0.010")


def test_a_slot_stays_locked_until_the_last_fill_is_counted() -> None:
    """F4: the order is known to be filled, its fill is not: no second buy on the level."""
    bench = Bench().start(1004)
    order = bench.engine.state.slot(0).order
    assert order is not None
    bench.venue.fill(order.client_order_id)
    bench.venue.updates.clear()
    bench.tell(_seen(bench.venue.orders[order.client_order_id]))
    assert bench.engine.state.slot(0).state is SlotState.LOCKED
    bench.wait(1)
    assert bench.sells == {0: 1010}


def test_an_order_of_unknown_outcome_is_never_sent_again_but_asked_for() -> None:
    """F1: the reply was lost; the order is there."""
    bench = Bench()
    bench.venue.refuse = OutcomeUnknown
    bench.start(1004)
    assert bench.venue.orders == {}
    assert all(slot.state is SlotState.PENDING for slot in bench.engine.state.slots.values())
    bench.now += 1
    bench.think()
    assert {type(command) for command in bench.commands} == {QueryOrder}


def test_an_absence_is_believed_late_and_when_told_twice() -> None:
    """F1 F3: an order may be invisible to queries for a while, and a request may arrive late."""
    bench = Bench()
    bench.venue.refuse = OutcomeUnknown
    bench.start(1004)
    bench.venue.refuse = None
    for _ in range(9):
        bench.wait(1)
    assert bench.venue.orders == {}, "younger than 10 s"
    for _ in range(20):
        bench.wait(1)
    assert len(bench.buys) == 5


def test_an_absence_counts_from_the_end_of_the_placing() -> None:
    """F1: the request may have waited its turn for long before it was sent."""
    bench = Bench()
    bench.tell(PriceUpdate(price(1000)))
    bench.tell(bench.answer(bench.commands.pop(0))[0])
    command, *_ = bench.commands
    assert isinstance(command, Place)
    bench.commands.clear()
    bench.wait(30)
    request = command.requests[0]
    bench.tell(PlaceResult(request.client_order_id, OutcomeUnknown("no reply")))
    for _ in range(9):
        bench.wait(1)
    assert bench.engine.state.find(request.client_order_id) is not None


def test_an_order_that_was_seen_lately_is_not_gone_because_a_query_does_not_show_it() -> None:
    """F1 F3: the venue's queries lag behind its stream."""
    bench = Bench().start(1004)
    order = bench.engine.state.slot(0).order
    assert order is not None
    bench.now = 20.0
    bench.tell(_seen(bench.venue.orders[order.client_order_id]))
    bench.engine.orders.query(order, bench.now)
    ref = OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id)
    for _ in range(5):
        bench.tell(OrderQueried(ref, OrderNotFound("not visible")))
    assert bench.engine.state.find(order.client_order_id) is not None


def test_an_open_order_that_is_told_unknown_stays_as_it_was_and_is_asked_for_again() -> None:
    """F3: the venue does not show it now, which says nothing of what became of it."""
    bench = Bench().start(1004)
    order = bench.engine.state.slot(0).order
    assert order is not None
    ref = OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id)
    bench.engine.orders.query(order, bench.now)
    bench.think()
    bench.commands.clear()
    shown = bench.venue.orders[order.client_order_id]
    bench.tell(OrderQueried(ref, replace(shown, status=OrderStatus.UNKNOWN, reason="not shown now")))
    assert bench.engine.state.find(order.client_order_id) == order
    bench.now += 5
    bench.think()
    assert QueryOrder(ref) in bench.commands


def test_a_failed_query_changes_nothing() -> None:
    """F3: 'could not ask' is not 'does not exist'."""
    bench = Bench().start(1004)
    before = dict(bench.engine.state.slots)
    for _ in range(50):
        bench.now += 12
        bench.engine.handle(PriceUpdate(price(1004)), bench.now)
        bench.tell(ReconcileFailed(Unreachable("no answer")))
    assert dict(bench.engine.state.slots) == before
    assert any("reconcile" in problem for problem in problems(bench.engine, bench.now))


def test_a_gap_makes_it_ask_the_venue() -> None:
    """F6: fills of the gap are counted from the trade list, which names no client ids."""
    bench = Bench().start(1004)
    bench.venue.fill(next(o.client_order_id for o in bench.venue.open_orders if o.price == 1000))
    bench.venue.updates.clear()
    bench.tell(OrderBatch((), gap=True))
    bench.settle()
    assert bench.engine.state.position == bench.venue.position
    assert bench.sells == {0: 1010}


def test_a_refused_post_only_order_is_priced_again_and_never_takes() -> None:
    """F18: growing waits, at the touch of the fresh quote."""
    bench = Bench().start(1004)
    bench.fill(0)
    bench.move(1004)
    bench.venue.refuse = PostOnlyWouldCross
    bench.fill(0, None)
    bench.venue.refuse = None
    bench.wait(1)
    assert all(order.price < Decimal("1004.1") for order in bench.venue.open_orders if order.side is Side.BUY)
    assert 0 in bench.buys


def test_refused_post_only_orders_wait_longer_each_time() -> None:
    """F18: an hour of refusals is not an hour of requests."""
    bench, sent = Bench(buy_window=1), 0
    bench.venue.refuse = PostOnlyWouldCross
    bench.start(1004)
    for _ in range(600):
        bench.wait(1)
    sent = bench.engine.state.header.sequence if bench.engine.state.header else 0
    assert 10 < sent < 80


def test_a_want_of_margin_cancels_the_buys_and_locks_them() -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    bench.venue.refuse = InsufficientMargin
    bench.fill(0)
    assert bench.buys == {}
    bench.venue.refuse = None
    bench.wait(5)
    assert bench.buys == {}
    bench.wait(6)
    assert len(bench.buys) == 5


def test_an_hour_without_margin_costs_few_requests() -> None:
    """F17: a permanent refusal brings at most 70 requests in an hour."""
    bench = Bench(buy_window=5)
    bench.venue.refuse = InsufficientMargin
    bench.start(1004)
    for _ in range(3600):
        bench.wait(1)
    assert bench.engine.state.header is not None
    assert bench.engine.state.header.sequence - 1 <= 70


def test_sells_go_on_while_margin_is_wanting() -> None:
    bench = Bench().start(1004)
    bench.venue.fill(next(o.client_order_id for o in bench.venue.open_orders if o.price == 1000))
    bench.engine.orders.margin_backoff.record_failure(bench.now)
    bench.settle()
    assert bench.sells == {0: 1010}


def test_an_hour_of_a_halt_costs_few_requests_and_the_grid_is_laid_again_after_it() -> None:
    """F17, F39: somebody left trading halted. The five levels are tried together; none of it gets to the venue."""
    bench = Bench()
    bench.venue.refuse = TradingHalted
    bench.start(1004)
    for _ in range(3_600):
        bench.wait(1)
    assert bench.engine.state.header is not None
    assert (bench.engine.state.header.sequence - 1) / 5 <= 70
    assert bench.engine.orders.pause_reason.startswith("TRADING_HALTED")
    bench.venue.refuse = None
    for _ in range(120):
        bench.wait(1)
    assert len(bench.buys) == 5


def test_a_refused_reduce_only_order_does_not_loop() -> None:
    """F19: the position was shrunk from outside; few requests, and the difference is told."""
    bench = Bench().start(1004)
    bench.fill(0)
    sell = next(order for order in bench.venue.open_orders if order.side is Side.SELL)
    bench.venue.fills.append(
        replace(bench.venue.fills[0], trade_id="x", side=Side.SELL, order_id="9", client_order_id="hand")
    )
    bench.venue.orders["hand"] = replace(sell, client_order_id="hand", order_id="9", status=OrderStatus.FILLED)
    bench.venue.orders[sell.client_order_id] = replace(sell, status=OrderStatus.EXPIRED)
    bench.tell(_seen(bench.venue.orders[sell.client_order_id]))
    bench.venue.refuse = ReduceOnlyRefused
    before = bench.engine.state.header.sequence if bench.engine.state.header else 0
    for _ in range(300):
        bench.wait(1)
    assert "close the difference" in bench.engine.halt_reason
    assert bench.engine.state.header is not None
    assert bench.engine.state.header.sequence - before < 20


def test_a_difference_has_to_be_seen_twice() -> None:
    """F10: a fill may be on its way; but no buy is placed meanwhile."""
    bench = Bench().start(1004)
    _trade_by_hand(bench.venue)
    bench.tell(OrderBatch((), gap=True))
    while bench.commands and not bench.engine.mismatch.suspected:
        for event in bench.answer(bench.commands.pop(0)):
            bench.tell(event)
    assert bench.engine.halt_reason == ""
    for _ in range(10):
        bench.wait(1)
    assert "close the difference" in bench.engine.halt_reason
    assert bench.buys == {}


def test_trading_goes_on_when_the_difference_is_gone() -> None:
    bench = Bench().start(1004)
    _trade_by_hand(bench.venue)
    bench.wait(61)
    bench.wait(6)
    bench.wait(6)
    assert bench.engine.halt_reason
    bench.venue.fills.append(replace(bench.venue.fills[-1], trade_id="y", side=Side.SELL))
    bench.wait(61)
    bench.wait(6)
    assert bench.engine.halt_reason == ""
    assert len(bench.buys) == 5


def test_a_found_position_is_laid_on_levels_and_never_sold_below_its_entry() -> None:
    venue = MiniVenue()
    _trade_by_hand(venue, "0.070")
    bench = Bench(venue=venue, adopt_position="levels").start(1004)
    for _ in range(8):
        bench.wait(1)
    assert bench.engine.state.position == Decimal("0.070")
    assert set(bench.sells.values()) == {1010, 1020}
    assert bench.engine.state.totals.adopted == Decimal("0.070")


def test_an_id_that_was_used_before_is_asked_for() -> None:
    """F1: the venue may have it from a request whose reply was lost."""
    bench = Bench()
    bench.venue.refuse = DuplicateOrder
    bench.start(1004)
    assert all(slot.state is SlotState.PENDING for slot in bench.engine.state.slots.values())


def test_an_answer_that_leaves_the_position_out_proves_nothing() -> None:
    """F10: a difference that the reconciler sees has a consequence."""
    bench = Bench()
    bench.tell(PriceUpdate(price(1000)))
    [ask] = bench.commands
    bench.commands.clear()
    [told] = bench.answer(ask)
    bench.tell(replace(told, positions=()))
    assert bench.engine.phase is Phase.STARTING
    assert "leave BTCUSDT out" in bench.engine.reconcile_error


def test_without_a_price_the_buys_are_pulled() -> None:
    """F13: and laid again when one comes."""
    bench = Bench().start(1004)
    bench.now += 31
    bench.think()
    bench.settle()
    assert bench.buys == {}
    assert any("stale price" in problem for problem in problems(bench.engine, bench.now))
    bench.move(1004)
    assert len(bench.buys) == 5


@pytest.mark.parametrize(("bid", "ask"), [("0", "1000"), ("1001", "1000")])
def test_a_torn_quote_is_no_price(bid: str, ask: str) -> None:
    bench = Bench()
    bench.tell(PriceUpdate(replace(price(1000), bid=Decimal(bid), ask=Decimal(ask))))
    assert bench.engine.state.header is None


def test_a_stop_cancels_own_orders_and_ends_when_all_is_confirmed() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    bench = Bench().start(1004)
    bench.tell(StopRequested(cancel_orders=True))
    assert bench.engine.phase is Phase.STOPPING
    bench.settle()
    assert bench.venue.open_orders == []
    assert bench.engine.phase is Phase.STOPPED


def test_a_fill_that_crosses_the_stop_is_counted() -> None:
    bench = Bench().start(1004)
    bench.venue.fill(next(o.client_order_id for o in bench.venue.open_orders if o.price == 1000))
    bench.venue.updates.clear()
    bench.tell(StopRequested(cancel_orders=True))
    bench.settle()
    bench.wait(1)
    assert bench.engine.phase is Phase.STOPPED
    assert bench.engine.state.position == bench.venue.position


def test_a_stop_that_may_not_cancel_leaves_the_orders() -> None:
    bench = Bench().start(1004)
    bench.tell(StopRequested(cancel_orders=False))
    bench.settle()
    assert bench.engine.phase is Phase.STOPPED
    assert len(bench.venue.open_orders) == 5


def test_foreign_orders_are_never_touched() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    bench = Bench()
    request = OrderRequest(
        symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), client_order_id="byhand", price=Decimal(990)
    )
    bench.venue.place(request)
    bench.start(1004)
    bench.move(2000)
    bench.tell(StopRequested(cancel_orders=True))
    bench.settle()
    assert [order.client_order_id for order in bench.venue.open_orders] == ["byhand"]


def test_an_own_order_found_at_the_venue_takes_its_slot() -> None:
    """F9: another run sent it, and the database is gone."""
    first = Bench().start(1004)
    second = Bench(venue=first.venue, first_sequence=100).start(1004)
    assert second.buys == first.buys
    assert len(second.venue.orders) == 5


def test_orders_found_before_the_first_price_take_their_slots_with_the_anchor() -> None:
    """F9: the stream of orders may be the quicker one; the grid ended with an error then."""
    first = Bench().start(1004)
    second = Bench(venue=first.venue, first_sequence=100)
    found = tuple(OrderUpdate(order=order, fill=None) for order in first.venue.open_orders)
    second.tell(OrderBatch(found, gap=True))
    assert second.commands == []
    second.start(1004)
    assert second.buys == first.buys
    assert len(second.venue.orders) == 5


def test_of_two_orders_on_one_level_one_is_cancelled() -> None:
    bench = Bench().start(1004)
    twin = bench.engine.state.ids.make(0, Side.BUY, 77)
    request = OrderRequest(
        symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.03"), client_order_id=twin, price=Decimal(1000)
    )
    bench.venue.place(request)
    bench.settle()
    assert bench.venue.orders[twin].status is OrderStatus.CANCELED
    assert len(bench.venue.open_orders) == 5


def test_a_late_refusal_does_not_undo_what_the_stream_told() -> None:
    bench = Bench()
    bench.tell(PriceUpdate(price(1000)))
    bench.tell(bench.answer(bench.commands.pop(0))[0])
    command, *_ = bench.commands
    assert isinstance(command, Place)
    request = command.requests[0]
    bench.venue.place(request)
    bench.deliver()
    bench.tell(PlaceResult(request.client_order_id, Unreachable("lost")))
    level = bench.engine.state.ids.read(request.client_order_id)
    assert level is not None
    assert bench.engine.state.slot(level.level).state is SlotState.LOCKED


def test_nothing_new_means_no_new_plan() -> None:
    """Debounced: a hundred prices inside one level cost no command and no write."""
    bench = Bench().start(1004)
    bench.changes.clear()
    for tenth in range(100):
        bench.tell(PriceUpdate(price(Decimal(1003) + Decimal(tenth) / 100)))
    assert not any(bench.changes)


def _seen(order: Order, fill: Fill | None = None) -> OrderBatch:
    return OrderBatch((OrderUpdate(order=order, fill=fill),), gap=False)


def _trade_by_hand(venue: MiniVenue, quantity: str = "0.005") -> None:
    """Somebody buys on the same account."""
    fill = Fill(
        symbol=SYMBOL,
        trade_id=f"hand{len(venue.fills)}",
        order_id="hand",
        client_order_id="hand",
        side=Side.BUY,
        position_side=PositionSide.BOTH,
        price=Decimal(1000),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=False,
        event_time_ms=1,
    )
    venue.fills.append(fill)
    venue.orders["hand"] = Order(
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(quantity),
        client_order_id="hand",
        status=OrderStatus.FILLED,
        order_id="hand",
        filled_quantity=Decimal(quantity),
    )


def test_an_event_time_of_the_future_never_becomes_the_watermark() -> None:
    """F8: after one such order no fill before that year was queried again."""
    bench = Bench().start(1004)
    order = next(iter(bench.venue.open_orders))
    received_ns = 1_700_000_000_000_000_000
    year_ms = 365 * 86_400_000
    for ahead_ms in (5, year_ms):
        update = OrderUpdate(
            order=replace(order, event_time_ms=received_ns // 1_000_000 + ahead_ms, received_ns=received_ns)
        )
        bench.tell(OrderBatch((update,), gap=True))
        bench.settle()
    header = bench.engine.state.header
    assert header is not None
    assert header.watermark_ms == received_ns // 1_000_000 + 5


def test_fees_in_other_assets_are_summed_by_asset_and_logged_once() -> None:
    """F36: a fee that has no price is no part of the profit, and never taken for 0 without a sign of it."""
    structlog.reset_defaults()
    bench = Bench().start(1004)
    orders = [order for order in bench.venue.open_orders if order.side is Side.BUY][:2]
    for number, order in enumerate(orders):
        fill = bench.venue.fill(order.client_order_id)
        paid = replace(
            fill, fee=Decimal("0.001"), fee_asset="BNB", other_fees=(Fee("POINT", Decimal(2)), Fee("USDT", Decimal(1)))
        )
        bench.venue.updates.clear()
        with capture_logs() as logs:
            bench.tell(_seen(bench.venue.orders[order.client_order_id], paid))
        named = {entry["asset"] for entry in logs if entry["event"].startswith("fee in another asset")}
        assert named == (set() if number else {"BNB", "POINT"})
    totals = bench.engine.state.totals
    assert totals.fees == {"BNB": Decimal("0.002"), "POINT": Decimal(4), "USDT": Decimal(2)}
    page = MarketMakerMetrics(bench.engine).text().decode()
    assert f'market_maker_fees{{asset="BNB",symbol="{SYMBOL}"}} 0.002' in page
    shown = status(bench.engine, exchange="memory", problems=[], now=0.0, now_ms=0)
    assert (shown["fees"], shown["fees_by_asset"]) == ("2", {"BNB": "0.002", "POINT": "4", "USDT": "2"})
    assert shown["unpriced_fees"] == {"BNB": "0.002", "POINT": "4"}


@pytest.mark.parametrize("kind", [kind for kind in FillKind if kind is not FillKind.TRADE])
def test_a_fill_that_the_venue_made_is_compared_and_waits_for_no_order(kind: FillKind) -> None:
    """F10: no query finds an order for it, and a grid that waited for one concluded nothing any more."""
    bench = Bench().start(1004)
    _trade_by_hand(bench.venue)
    by_venue = replace(bench.venue.fills.pop(), kind=kind, client_order_id="", order_id="by-venue")
    bench.venue.fills.append(by_venue)
    order = replace(bench.venue.orders.pop("hand"), client_order_id="", order_id="by-venue")
    bench.tell(_seen(order, by_venue))
    assert not bench.engine.orders.unmatched_fills
    for _ in range(5):
        bench.now += 31
        bench.tell(PriceUpdate(price(1004)))
        bench.settle()
    assert "close the difference by hand" in bench.engine.halt_reason
