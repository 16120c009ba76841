"""Conditional orders: what triggers them, what they place, and when they end without that."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.simulator.engine.conditional import (
    ConditionalChange,
    ConditionalStatus,
    Crossing,
    NewConditional,
    Trail,
    Trigger,
    TriggerBy,
)
from opensqt.simulator.engine.events import ConditionalChanged, OrderChanged
from opensqt.simulator.engine.order import ClosingReason, NewOrder, RefusalReason, Refused
from opensqt.simulator.ledger import ledger
from opensqt.simulator.settings import VenueRules

KEY = "sim-key"
_C = ConditionalStatus


def at(price: str, crossing: Crossing = Crossing.DOWN, **more: Any) -> Trigger:
    return Trigger(price=Decimal(price), crossing=crossing, **more)


def stop(*triggers: Trigger, **more: Any) -> NewConditional:
    """A sell of 0.01 at market when the price falls to 44,900."""
    fields: dict[str, Any] = {"symbol": "BTCUSDT", "side": Side.SELL, "quantity": Decimal("0.01")} | more
    return NewConditional(triggers=triggers or (at("44900"),), **fields)


def trailing(**trail: Any) -> NewConditional:
    return stop(Trigger(crossing=Crossing.DOWN, trail=Trail(**trail)))


def hold(venue: Any, quantity: str = "0.01") -> None:
    """Buy, and leave bids at 45,000, 44,900 and 44,800."""
    venue.outside(Side.SELL, quantity, "45000")
    venue.buy(quantity)
    for price in ("45000", "44900", "44800"):
        venue.outside(Side.BUY, "1", price)


def print_at(venue: Any, price: str) -> None:
    """One public trade at a price, between outside participants."""
    own = venue.outside(Side.SELL, "0.001", price)
    venue.engine.trade_outside("BTCUSDT", Side.BUY, Decimal("0.001"), Decimal(price))
    venue.engine.withdraw_outside("BTCUSDT", own)
    venue.engine.publish()


def now(venue: Any, placed: Any) -> Any:
    return venue.engine.conditional.find(KEY, conditional_id=placed.conditional_id)


def test_a_stop_waits_until_a_print_reaches_it_and_then_sells(venue):
    hold(venue)
    placed = venue.engine.conditional.place(KEY, stop(reduce_only=True))
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal(1))
    assert now(venue, placed).status is _C.WAITING
    assert venue.engine.open_orders(KEY) == []
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal("0.5"))
    fired = now(venue, placed)
    assert (fired.status, fired.fired_price) == (_C.TRIGGERED, Decimal(44900))
    order = venue.engine.find(KEY, "BTCUSDT", order_id=fired.order_id)
    assert (order.order_type, order.side, order.conditional_id) == (OrderType.MARKET, Side.SELL, placed.conditional_id)


def test_a_mark_stop_ignores_prints_and_a_last_stop_ignores_the_mark(venue):
    venue.outside(Side.BUY, "5", "44950")
    by_last = venue.engine.conditional.place(KEY, stop())
    by_mark = venue.engine.conditional.place(KEY, stop(at("44900", by=TriggerBy.MARK)))
    venue.mark("44900")
    assert (now(venue, by_last).status, now(venue, by_mark).status) == (_C.WAITING, _C.TRIGGERED)


def test_the_index_is_the_mark_because_there_is_no_other(venue):
    by_index = venue.engine.conditional.place(KEY, stop(at("44900", by=TriggerBy.INDEX)))
    venue.mark("44900")
    assert now(venue, by_index).status is not _C.WAITING


def test_a_stop_limit_rests_at_its_price(venue):
    venue.outside(Side.BUY, "5", "44800")
    placed = venue.engine.conditional.place(KEY, stop(at("44900", order_price=Decimal(44950))))
    print_at(venue, "44900")
    (order,) = venue.engine.open_orders(KEY)
    assert (order.price, order.order_id) == (Decimal(44950), now(venue, placed).order_id)


def test_a_spike_inside_one_sweep_triggers(venue):
    """The first print that meets it triggers, also when the last one of the sweep would not."""
    for price in ("44890", "44700"):
        venue.outside(Side.BUY, "0.1", price)
    placed = venue.engine.conditional.place(KEY, stop(at("44890"), quantity=Decimal("0.001")))
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal("0.2"))
    assert now(venue, placed).fired_price == Decimal(44890)


def test_one_that_is_met_already_is_refused_or_triggers_at_once(venue):
    with pytest.raises(Refused, match="expected not to be met") as refused:
        venue.engine.conditional.place(KEY, stop(at("45100")), refuse_met=True)
    assert refused.value.reason is RefusalReason.WOULD_TRIGGER
    assert venue.engine.conditional.listed(KEY) == []
    venue.outside(Side.BUY, "1", "45000")
    assert venue.engine.conditional.place(KEY, stop(at("45100"))).status is _C.TRIGGERED


def test_a_canceled_one_never_triggers(venue):
    venue.outside(Side.BUY, "5", "44800")
    placed = venue.engine.conditional.place(KEY, stop(client_id="mine"))
    assert venue.engine.conditional.cancel(KEY, client_id="mine").status is _C.CANCELED
    print_at(venue, "44900")
    assert now(venue, placed).status is _C.CANCELED
    assert venue.engine.orders(KEY) == []
    with pytest.raises(Refused) as refused:
        venue.engine.conditional.cancel(KEY, client_id="mine")
    assert refused.value.reason is RefusalReason.ORDER_CLOSED


def test_a_trailing_stop_follows_up_and_never_down(venue):
    for price in ("45000", "44500"):
        venue.outside(Side.BUY, "5", price)
    placed = venue.engine.conditional.place(KEY, trailing(rate=Decimal("0.01")))
    for price in ("45100", "46000", "45541"):
        print_at(venue, price)
    assert (now(venue, placed).status, now(venue, placed).stop_price()) == (_C.WAITING, Decimal(45540))
    print_at(venue, "45540")
    assert now(venue, placed).status is _C.TRIGGERED


def test_a_trailing_stop_does_nothing_before_its_activation_price(venue):
    venue.outside(Side.BUY, "5", "44000")
    placed = venue.engine.conditional.place(KEY, trailing(distance=Decimal(100), activation_price=Decimal(45200)))
    for price in ("44500", "45199"):
        print_at(venue, price)
    assert (now(venue, placed).activated, now(venue, placed).stop_price()) == (False, None)
    print_at(venue, "45200")
    assert [event.change for event in venue.published(ConditionalChanged)][-1] is ConditionalChange.ACTIVATED
    print_at(venue, "45100")
    assert now(venue, placed).fired_price == Decimal(45100)


def test_close_position_sells_what_is_held_when_it_triggers(venue):
    hold(venue, "0.01")
    placed = venue.engine.conditional.place(KEY, stop(close_position=True, quantity=Decimal(0)))
    venue.outside(Side.SELL, "0.02", "45010")
    venue.buy("0.02")
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal("1.5"))
    assert venue.quantity() == 0
    order = venue.engine.find(KEY, "BTCUSDT", order_id=now(venue, placed).order_id)
    assert (order.quantity, order.status) == (Decimal("0.030"), OrderStatus.FILLED)


def test_a_reduce_only_stop_without_a_position_is_rejected_and_opens_none(venue):
    venue.outside(Side.BUY, "5", "44800")
    placed = venue.engine.conditional.place(KEY, stop(reduce_only=True))
    print_at(venue, "44900")
    assert (now(venue, placed).status, now(venue, placed).reason) == (_C.REJECTED, "REDUCE_ONLY")
    assert venue.quantity() == 0


def test_one_that_is_bound_ends_with_its_position(venue):
    hold(venue)
    placed = venue.engine.conditional.place(KEY, stop(close_position=True, bound=True))
    venue.sell("0.01")
    assert now(venue, placed).status is _C.EXPIRED


def test_of_two_in_a_group_the_first_cancels_the_other(venue):
    hold(venue)
    loss = venue.engine.conditional.place(KEY, stop(group="g", reduce_only=True))
    profit = venue.engine.conditional.place(KEY, stop(at("45500", Crossing.UP), group="g", reduce_only=True))
    print_at(venue, "45500")
    assert (now(venue, profit).status, now(venue, loss).status) == (_C.TRIGGERED, _C.CANCELED)


def test_of_two_triggers_the_one_that_is_met_names_the_price(venue):
    hold(venue)
    both = stop(at("44900", name="sl"), at("45500", Crossing.UP, name="tp", order_price=Decimal(45400)))
    placed = venue.engine.conditional.place(KEY, both)
    print_at(venue, "45500")
    fired = now(venue, placed)
    assert (fired.trigger.name, venue.engine.open_orders(KEY)[0].price) == ("tp", Decimal(45400))


def test_an_attached_stop_begins_when_its_order_is_filled(venue):
    for price in ("45000", "44800"):
        venue.outside(Side.BUY, "1", price)
    child = stop(at("44900"), quantity=Decimal(0), reduce_only=True, client_id="child")
    order = NewOrder(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.02"), price=Decimal(45005), attached=(child,))
    parent = venue.engine.place(KEY, order)
    assert venue.engine.conditional.listed(KEY) == []
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal("0.01"), Decimal(45005))
    assert venue.engine.conditional.listed(KEY) == []
    venue.engine.trade_outside("BTCUSDT", Side.SELL, Decimal("0.01"), Decimal(45005))
    (begun,) = venue.engine.conditional.waiting(KEY)
    assert (begun.parent_id, begun.wanted.quantity, begun.client_id) == (parent.order_id, Decimal("0.020"), "child")


def test_an_attached_stop_of_an_order_that_never_fills_never_begins(venue):
    child = stop(at("44900"), quantity=Decimal(0), reduce_only=True)
    order = NewOrder(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.02"), price=Decimal(44950), attached=(child,))
    parent = venue.engine.place(KEY, order)
    venue.engine.cancel(KEY, "BTCUSDT", order_id=parent.order_id)
    assert venue.engine.conditional.listed(KEY) == []


def test_a_bad_attached_stop_refuses_the_order(venue):
    child = stop(at("44900.05"), quantity=Decimal(0))
    order = NewOrder(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.02"), price=Decimal(44950), attached=(child,))
    with pytest.raises(Refused) as refused:
        venue.engine.place(KEY, order)
    assert refused.value.reason is RefusalReason.PRICE_STEP
    assert venue.engine.orders(KEY) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": Decimal(0)}, RefusalReason.INVALID),
        ({"quantity": Decimal("0.0005")}, RefusalReason.MIN_QUANTITY),
        ({"quantity": Decimal("0.0015")}, RefusalReason.QUANTITY_STEP),
        ({"quantity": Decimal(1001)}, RefusalReason.MAX_QUANTITY),
        ({"position_side": PositionSide.LONG}, RefusalReason.POSITION_SIDE_MISMATCH),
        ({"triggers": (at("44900.05"),)}, RefusalReason.PRICE_STEP),
        ({"triggers": (at("-1"),)}, RefusalReason.INVALID),
        ({"symbol": "NOPE"}, RefusalReason.UNKNOWN_SYMBOL),
    ],
)
def test_one_that_breaks_a_rule_is_refused(venue, changes, reason):
    with pytest.raises(Refused) as refused:
        venue.engine.conditional.place(KEY, replace(stop(), **changes))
    assert refused.value.reason is reason


def test_no_more_wait_than_the_venue_allows_and_no_client_id_twice(open_venue):
    venue = open_venue(rules=VenueRules(most_conditional=2))
    venue.engine.conditional.place(KEY, stop(client_id="a"))
    with pytest.raises(Refused) as refused:
        venue.engine.conditional.place(KEY, stop(client_id="a"))
    assert refused.value.reason is RefusalReason.DUPLICATE_CLIENT_ORDER_ID
    venue.engine.conditional.place(KEY, stop(client_id="b"))
    with pytest.raises(Refused) as refused:
        venue.engine.conditional.place(KEY, stop(client_id="c"))
    assert refused.value.reason is RefusalReason.TOO_MANY_CONDITIONAL


def test_an_amended_one_triggers_at_its_new_price_only(venue):
    venue.outside(Side.BUY, "5", "44000")
    placed = venue.engine.conditional.place(KEY, stop(at("44900")))
    venue.engine.conditional.amend(KEY, placed.conditional_id, stop(at("44500")))
    print_at(venue, "44900")
    assert (now(venue, placed).status, now(venue, placed).amendments) == (_C.WAITING, 1)
    print_at(venue, "44500")
    assert now(venue, placed).status is _C.TRIGGERED


def test_conditional_and_resting_orders_expire_at_their_own_time(venue):
    end_ms = venue.engine.now_ms() + 5_000
    placed = venue.engine.conditional.place(KEY, stop(expires_ms=end_ms))
    order = venue.buy("0.01", "44000", expires_ms=end_ms + 1)
    venue.clock.advance(5_000)
    venue.engine.advance(venue.clock.market_ms())
    assert (now(venue, placed).status, venue.now(order).status) == (_C.EXPIRED, OrderStatus.OPEN)
    venue.clock.advance(1)
    venue.engine.advance(venue.clock.market_ms())
    assert venue.now(order).closing_reason is ClosingReason.EXPIRY


def test_the_trigger_is_published_before_the_events_of_its_order(venue):
    venue.outside(Side.BUY, "1", "44800")
    placed = venue.engine.conditional.place(KEY, stop())
    venue.events.clear()
    print_at(venue, "44900")
    mine = [event for event in venue.events if isinstance(event, ConditionalChanged | OrderChanged)]
    assert isinstance(mine[0], ConditionalChanged)
    assert mine[0].conditional.order_id == mine[1].order.order_id == now(venue, placed).order_id


def test_a_liquidation_ends_conditional_orders(venue):
    venue.outside(Side.SELL, "2", "45000")
    venue.buy("2")
    venue.outside(Side.BUY, "5", "30000")
    placed = venue.engine.conditional.place(KEY, stop(at("20000")))
    venue.mark("40000")
    assert now(venue, placed).status is _C.CANCELED


def test_the_order_keeps_the_id_where_the_venue_does_that(open_venue):
    venue = open_venue(rules=VenueRules(triggered_keeps_id=True))
    venue.outside(Side.BUY, "1", "44800")
    placed = venue.engine.conditional.place(KEY, stop())
    print_at(venue, "44900")
    assert venue.engine.orders(KEY)[0].order_id == placed.conditional_id


def test_the_ledger_lists_conditional_orders(venue):
    venue.outside(Side.BUY, "1", "44800")
    venue.engine.conditional.place(KEY, stop(kind="STOP_MARKET"))
    print_at(venue, "44900")
    account = ledger(venue.engine)["accounts"][KEY]
    (row,) = account["conditional_orders"]
    assert (row["status"], row["trigger_price"], row["triggered_by_price"]) == ("TRIGGERED", "44900", "44900")
    assert row["order_id"] == account["orders"][0]["order_id"]


def test_the_position_mode_does_not_change_while_one_waits(venue):
    venue.engine.conditional.place(KEY, stop())
    with pytest.raises(Refused) as refused:
        venue.engine.set_position_mode(KEY, "hedge")
    assert refused.value.reason is RefusalReason.ORDERS_OPEN
