"""What the page shows follows from what was read, and from nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.live_server.messages import PageMessage
from opensqt.live_server.view import View
from opensqt.model.order import OrderStatus, PositionSide
from opensqt.model.venue import Check, ExchangeStatus
from tests.support.live_server import candle
from tests.unit.live_server.builders import (
    HEALTHY,
    Clock,
    account,
    batch,
    fill,
    make_view,
    order,
    position,
    price,
    update,
)

MINUTE = 60_000
SICK = ExchangeStatus(checks=(Check(name="private_stream", ok=False, reason="no private data for 12 s"),))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def view(clock: Clock) -> View:
    return make_view(clock)


def of(messages: list[PageMessage], kind: str) -> list[Any]:
    return [message.data for message in messages if message.type == kind]


def test_every_snapshot_has_the_history_and_the_open_orders(view: View):
    view.set_history(candle(n * MINUTE) for n in range(1, 101))
    view.on_orders(batch(update(order("a1")), update(order("a2")), snapshot=True))
    for _ in range(2):
        found = view.snapshot()
        assert len(of(found, "history")[0]) == 100
        assert [one["clientOrderId"] for one in of(found, "orders")[0]] == ["a1", "a2"]


def test_a_snapshot_has_account_position_and_recent_fills(view: View):
    view.on_account(batch(account()))
    view.on_positions(batch(position()))
    view.on_fills([fill("t1")], listed=True)
    found = view.snapshot()
    assert of(found, "account")[0]["balance"] == "10000.10"
    assert of(found, "position")[0]["amount"] == "0.1"
    assert [one["id"] for one in of(found, "trades")[0]] == ["t1"]


def test_only_the_wanted_number_of_candles_is_kept(clock: Clock):
    view = make_view(clock, candles=3)
    view.set_history(candle(n * MINUTE) for n in range(10))
    view.on_candles(batch(candle(10 * MINUTE, closed=False)))
    assert [one.open_time_ms // MINUTE for one in view.candles] == [8, 9, 10]


def test_a_closing_candle_is_told_at_once_and_a_forming_one_at_the_pages_pace(view: View):
    told = view.on_candles(batch(candle(MINUTE), candle(2 * MINUTE, closed=False)))
    assert [one["time"] for one in of(told, "kline")] == [60]
    assert [one["time"] for one in of(view.take_pending(), "kline")] == [120]
    assert view.take_pending() == []


def test_a_closed_candle_is_never_followed_by_its_own_forming_state(view: View):
    view.on_candles(batch(candle(MINUTE, "3001", closed=False)))
    told = view.on_candles(batch(candle(MINUTE, "3002", closed=True)))
    assert [one["close"] for one in of(told, "kline")] == ["3002"]
    assert of(view.take_pending(), "kline") == []


def test_candles_streamed_while_the_history_was_asked_for_win_over_it(view: View):
    view.expect_history()
    view.on_candles(batch(candle(2 * MINUTE, "3005", closed=False)))
    view.set_history([candle(MINUTE), candle(2 * MINUTE, "3001", closed=False)])
    assert [one.close for one in view.candles] == [Decimal(3000), Decimal(3005)]


def test_candles_of_a_market_that_went_back_in_time_do_not_mix(view: View):
    view.set_history([candle(100 * MINUTE)])
    view.on_candles(batch(candle(101 * MINUTE)))
    view.expect_history()
    view.set_history([candle(MINUTE), candle(2 * MINUTE)])
    assert [one.open_time_ms // MINUTE for one in view.candles] == [1, 2]


def test_a_hole_or_a_new_beginning_asks_for_the_history(view: View):
    view.set_history([candle(MINUTE)])
    assert not view.needs_history(batch(candle(2 * MINUTE)))
    assert view.needs_history(batch(candle(3 * MINUTE)))
    assert view.needs_history(batch(candle(MINUTE), snapshot=True, gap=True))


def test_an_order_that_closes_leaves_the_open_ones(view: View):
    view.on_orders(batch(update(order("a1")), snapshot=True))
    told = view.on_orders(batch(update(order("a1", OrderStatus.CANCELED))))
    assert of(told, "orders")[0]["open"] is False
    assert view.open_orders == ()


def test_a_new_snapshot_of_orders_replaces_the_old_one(view: View):
    view.on_orders(batch(update(order("a1")), snapshot=True))
    told = view.on_orders(batch(update(order("a2")), snapshot=True, gap=True))
    assert [one["clientOrderId"] for one in of(told, "orders")[0]] == ["a2"]


def test_orders_of_other_symbols_are_not_shown(view: View):
    assert view.on_orders(batch(update(order("a1", symbol="BTCUSDT")))) == []


def test_a_fill_is_told_once_by_stream_and_list(view: View):
    """F8: a fill counts once, however often it is reported."""
    view.on_fills([], listed=True)
    made = fill("t1")
    told = view.on_orders(batch(update(order("a1", OrderStatus.FILLED), made)))
    again = view.on_orders(batch(update(order("a1", OrderStatus.FILLED), made)))
    listed = view.on_fills([made], listed=True)
    assert [len(of(messages, "trade_event")) for messages in (told, again, listed)] == [1, 0, 0]


def test_a_fill_that_the_stream_missed_is_told_when_the_list_shows_it(view: View):
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    view.on_fills([], listed=True)
    assert of(view.on_fills([fill("t1")], listed=True), "trade_event")[0]["id"] == "t1"


def test_the_fills_of_the_past_are_no_events(view: View):
    told = view.on_fills([fill("t1"), fill("t2")], listed=True)
    assert of(told, "trade_event") == []
    assert len(of(told, "trades")[0]) == 2


def test_a_fill_moves_the_realized_profit_of_the_position(view: View):
    """F36: the profit that is shown is the account's."""
    view.on_positions(batch(position()))
    view.on_fills([], listed=True)
    told = view.on_fills([fill("t1", realized_pnl=Decimal("2.5"), fee=Decimal("0.5"))])
    assert of(told, "position")[0]["realizedPnL"] == "2.0"


def test_a_flat_position_is_told_as_zero(view: View):
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    view.on_positions(batch(position("0.5")))
    assert of(view.on_positions(batch(position("0", entry_price=Decimal(0)))), "position")[0]["amount"] == "0"


def test_a_position_that_a_snapshot_leaves_out_is_flat(view: View):
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    view.on_positions(batch(position("0.5")))
    assert of(view.on_positions(batch(snapshot=True, gap=True)), "position")[0]["amount"] == "0"


def test_the_long_and_the_short_of_hedge_mode_are_both_told(view: View):
    """F20: hedge mode and one-way mode are never mixed up."""
    told = view.on_positions(
        batch(position("0.5", position_side=PositionSide.LONG), position("-0.2", position_side=PositionSide.SHORT))
    )
    assert {one["positionSide"]: one["amount"] for one in of(told, "position")} == {"LONG": "0.5", "SHORT": "-0.2"}


def test_a_new_price_values_the_position_again(view: View):
    view.on_positions(batch(position("2")))
    view.on_price(batch(price("3009", "3011")))
    drained = view.take_pending()
    assert of(drained, "price")[0]["price"] == "3010"
    assert of(drained, "position")[0]["unrealizedPnL"] == "20"


def test_many_prices_between_two_drains_make_one_message(view: View):
    for bid in range(3000, 3100):
        view.on_price(batch(price(str(bid), str(bid + 1))))
    assert len(of(view.take_pending(), "price")) == 1


def test_an_old_price_makes_the_view_stale(view: View, clock: Clock):
    """F36: marked by its age on receipt, whatever the venue's clock says."""
    view.on_status(HEALTHY)
    view.on_price(batch(price("3000", "3001")))
    assert view.status().data["stale"] is False
    clock.advance(3.5)
    assert view.status().data["stale"] is True
    assert view.reasons() == ["no price for 4 s"]


def test_a_repeated_snapshot_does_not_make_an_old_price_young(view: View, clock: Clock):
    view.on_status(HEALTHY)
    view.on_price(batch(price("3000", "3001")))
    clock.advance(10)
    view.on_price(batch(price("3000", "3001"), snapshot=True, gap=True))
    assert view.status().data["stale"] is True


def test_nothing_is_fresh_before_it_was_asked_for(view: View):
    """F31: health never says yes while a part is dead."""
    assert view.status().data["stale"] is True
    assert view.status().data["connected"] is False


def test_a_check_that_fails_is_told_once_and_so_is_its_end(view: View):
    view.on_status(HEALTHY)
    begun, again, over = view.on_status(SICK), view.on_status(SICK), view.on_status(HEALTHY)
    assert [one["severity"] for one in of(begun, "risk_status")] == ["critical"]
    assert of(begun, "risk_status")[0]["message"] == "no private data for 12 s"
    assert of(again, "risk_status") == []
    assert [one["severity"] for one in of(over, "risk_status")] == ["info"]


def test_a_client_that_comes_later_learns_what_is_wrong_now(view: View):
    view.on_status(SICK)
    assert of(view.snapshot(), "risk_status")[0]["type"] == "private_stream"


def test_a_connector_that_does_not_answer_leaves_its_checks_as_they_were(view: View):
    """F3: could not ask is not all is well."""
    view.on_status(SICK)
    told = view.on_status(None, "no answer within 2 s")
    assert of(told, "status")[0]["connected"] is False
    assert [one["type"] for one in of(told, "risk_status")] == ["connector"]
    assert len(view.reasons()) == 3


def test_no_secret_reaches_the_page_in_a_reason(view: View):
    """F33: no secret shows in a log, an error or a page."""
    reason = "GET /fapi/v2/account?signature=c4n4ryc4n4ryc4n4ry refused"
    told = view.on_status(ExchangeStatus(checks=(Check(name="venue", ok=False, reason=reason),)))
    assert b"c4n4ry" not in b"".join(message.encode() for message in [*told, *view.snapshot()])


def test_a_leverage_that_the_stream_leaves_out_is_remembered(view: View):
    view.on_positions(batch(position("1", leverage=Decimal(10))))
    assert of(view.on_positions(batch(position("2"))), "position")[0]["leverage"] == "10"


def test_equity_is_the_balance_and_all_open_profit_at_the_price_shown(view: View):
    """F36: the figures of one page add up."""
    view.on_account(batch(account()))
    view.on_positions(batch(position("2")))
    view.on_all_positions([position("2"), position("1", symbol="BTCUSDT", unrealized_pnl=Decimal("-3"))])
    view.on_price(batch(price("3009", "3011")))
    assert of(view.take_pending(), "account")[0]["marginBalance"] == str(Decimal("10000.10") - 3 + 20)


def test_equity_is_the_venues_own_until_all_positions_are_known(view: View):
    told = view.on_account(batch(account()))
    assert of(told, "account")[0]["marginBalance"] == "9998.60"
