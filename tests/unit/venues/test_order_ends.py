"""Who ended an order and why, over whole adapters: the same words for the same cause on every venue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from opensqt.model.order import ClosedBy, CloseReason, Order, OrderRef, OrderStatus
from tests.unit.venues.account_rig import AccountRig
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_fees import update

OWNER, VENUE = ClosedBy.OWNER, ClosedBy.VENUE
BITGET_OLD = {"cTime": "1695718000000"}
_NO_FILL = ("tradeId", "baseVolume", "fillFee", "priceAvg")


def frame(venue: str, words: dict[str, Any]) -> dict[str, Any]:
    """An order that ended unfilled, as the venue's stream shows it."""
    if venue == "binance":
        ended = {"x": "EXPIRED", "X": "EXPIRED", "l": "0", "z": "0", "t": 0, "f": "GTC"}
        return binance.TRADE | {"o": binance.TRADE["o"] | ended | words}
    if venue == "bitget":
        row = {name: value for name, value in bitget.ORDER.items() if name not in _NO_FILL}
        return bitget.frame("orders", row | BITGET_OLD | {"status": "canceled", "accBaseVolume": "0"} | words)
    if venue == "bybit":
        return bybit.frame("order.linear", bybit.ORDER | {"orderStatus": "Cancelled", "cumExecQty": "0"} | words)
    if venue == "gate":
        return update(gate.ORDER | {"status": "finished", "finish_time": 1546569971} | words, "futures.orders")
    ended = {"state": "canceled", "tradeId": "", "fillSz": "0", "accFillSz": "0"}
    return {"arg": {"channel": "orders"}, "data": [okx.ORDER | ended | words]}


async def ended(venue: str, words: dict[str, Any]) -> Order:
    rig = await AccountRig(venue).start()
    (published,) = await rig.feed(frame(venue, words))
    assert not rig.venue.set_aside
    return published.order


CAUSES = [
    ("binance", {"x": "CANCELED", "X": "CANCELED", "er": "0"}, CloseReason.REQUESTED),
    ("binance", {"er": "1"}, CloseReason.SELF_TRADE),
    ("binance", {"X": "EXPIRED_IN_MATCH"}, CloseReason.SELF_TRADE),
    ("binance", {"er": "2", "f": "IOC"}, CloseReason.TIME_IN_FORCE),
    ("binance", {"er": "3", "f": "IOC"}, CloseReason.SELF_TRADE),
    ("binance", {"er": "4", "X": "CANCELED", "x": "CANCELED"}, CloseReason.REDUCE_ONLY),
    ("binance", {"er": "5"}, CloseReason.LIQUIDATION),
    ("binance", {"er": "6"}, CloseReason.LINKED_ORDER),
    ("binance", {"er": "7", "X": "CANCELED", "x": "CANCELED"}, CloseReason.SYMBOL_CLOSED),
    ("binance", {"er": "8"}, CloseReason.LINKED_ORDER),
    ("binance", {"er": "9", "o": "MARKET"}, CloseReason.TIME_IN_FORCE),
    ("binance", {"er": "77"}, CloseReason.OTHER),
    ("binance", {"f": "GTX"}, CloseReason.POST_ONLY),
    ("bitget", {"cancelReason": "normal_cancel"}, CloseReason.REQUESTED),
    ("bitget", {"cancelReason": "stp_cancel"}, CloseReason.SELF_TRADE),
    ("bitget", {"cancelReason": "normal_cancel", "force": "ioc"}, CloseReason.TIME_IN_FORCE),
    ("bitget", {"cancelReason": "normal_cancel", "force": "fok"}, CloseReason.TIME_IN_FORCE),
    ("bitget", {"cancelReason": "a_new_word"}, CloseReason.OTHER),
    ("bybit", {"cancelType": "CancelByUser", "rejectReason": "EC_PerCancelRequest"}, CloseReason.REQUESTED),
    ("bybit", {"cancelType": "CancelByDCP"}, CloseReason.TIMER),
    ("bybit", {"rejectReason": "EC_PostOnlyWillTakeLiquidity"}, CloseReason.POST_ONLY),
    ("bybit", {"rejectReason": "EC_NoImmediateQtyToFill"}, CloseReason.TIME_IN_FORCE),
    ("bybit", {"cancelType": "CancelByReduceOnly"}, CloseReason.REDUCE_ONLY),
    ("bybit", {"cancelType": "CancelByPrepareLiq"}, CloseReason.LIQUIDATION),
    ("bybit", {"cancelType": "CancelAllBeforeLiq"}, CloseReason.LIQUIDATION),
    ("bybit", {"cancelType": "CancelAllBeforeAdl"}, CloseReason.ADL),
    ("bybit", {"cancelType": "CancelBySettle"}, CloseReason.SYMBOL_CLOSED),
    ("bybit", {"cancelType": "CancelByDelivery"}, CloseReason.SYMBOL_CLOSED),
    ("bybit", {"cancelType": "CancelByTpSlTsClear"}, CloseReason.LINKED_ORDER),
    ("bybit", {"cancelType": "CancelBySmp"}, CloseReason.SELF_TRADE),
    ("bybit", {"cancelType": "CancelByAdmin"}, CloseReason.RISK_CONTROL),
    ("bybit", {"cancelType": "CancelByMmpTriggered"}, CloseReason.MARKET_MAKER_PROTECTION),
    ("bybit", {"cancelType": "CancelByCannotAffordOrderCost"}, CloseReason.INSUFFICIENT_MARGIN),
    ("bybit", {"rejectReason": "EC_ReachRiskPriceLimit"}, CloseReason.PRICE_LIMIT),
    ("bybit", {"cancelType": "CancelByANewThing"}, CloseReason.OTHER),
    ("gate", {"finish_as": "cancelled"}, CloseReason.REQUESTED),
    ("gate", {"finish_as": "ioc", "tif": "ioc"}, CloseReason.TIME_IN_FORCE),
    ("gate", {"finish_as": "fok", "tif": "fok"}, CloseReason.TIME_IN_FORCE),
    ("gate", {"finish_as": "poc", "tif": "poc"}, CloseReason.POST_ONLY),
    ("gate", {"finish_as": "ioc", "tif": "poc"}, CloseReason.POST_ONLY),
    ("gate", {"finish_as": "liquidated"}, CloseReason.LIQUIDATION),
    ("gate", {"finish_as": "auto_deleveraged"}, CloseReason.ADL),
    ("gate", {"finish_as": "reduce_only"}, CloseReason.REDUCE_ONLY),
    ("gate", {"finish_as": "position_closed"}, CloseReason.REDUCE_ONLY),
    ("gate", {"finish_as": "reduce_out"}, CloseReason.REDUCE_ONLY),
    ("gate", {"finish_as": "stp"}, CloseReason.SELF_TRADE),
    ("gate", {"finish_as": "a_new_word"}, CloseReason.OTHER),
    *(
        ("okx", {"cancelSource": source}, reason)
        for source, reason in {
            "0": CloseReason.RISK_CONTROL, "1": CloseReason.REQUESTED, "2": CloseReason.INSUFFICIENT_MARGIN,
            "3": CloseReason.LIQUIDATION, "6": CloseReason.ADL, "7": CloseReason.SYMBOL_CLOSED,
            "9": CloseReason.INSUFFICIENT_MARGIN, "13": CloseReason.TIME_IN_FORCE, "14": CloseReason.TIME_IN_FORCE,
            "15": CloseReason.PRICE_LIMIT, "17": CloseReason.REDUCE_ONLY, "20": CloseReason.TIMER,
            "21": CloseReason.LINKED_ORDER, "22": CloseReason.REDUCE_ONLY, "23": CloseReason.REDUCE_ONLY,
            "27": CloseReason.PRICE_LIMIT, "31": CloseReason.POST_ONLY, "32": CloseReason.SELF_TRADE,
            "33": CloseReason.OTHER, "36": CloseReason.LINKED_ORDER, "37": CloseReason.LINKED_ORDER,
            "38": CloseReason.REQUESTED, "39": CloseReason.MARKET_MAKER_PROTECTION, "42": CloseReason.PRICE_LIMIT,
            "43": CloseReason.PRICE_LIMIT, "44": CloseReason.INSUFFICIENT_MARGIN, "99": CloseReason.OTHER,
        }.items()
    ),
]  # fmt: skip


@pytest.mark.parametrize(("venue", "words", "reason"), CAUSES)
async def test_the_venues_words_are_one_word(venue: str, words: dict[str, Any], reason: CloseReason) -> None:
    """An order that its owner ended is CANCELED, one that the venue ended EXPIRED, wherever it was placed."""
    order = await ended(venue, words)
    by_owner = reason in (CloseReason.REQUESTED, CloseReason.TIMER)
    assert (order.closed_by, order.close_reason) == (OWNER if by_owner else VENUE, reason)
    assert order.status is (OrderStatus.CANCELED if by_owner else OrderStatus.EXPIRED)
    if reason is CloseReason.OTHER:
        assert order.reason, "the venue's own word is told"


@pytest.mark.parametrize(
    ("venue", "words"),
    [
        ("bitget", {"cancelReason": ""}),
        ("bitget", {"cancelReason": "normal_cancel", "force": "post_only", "cTime": "1695718781140"}),
        ("bybit", {"cancelType": "UNKNOWN", "rejectReason": "EC_NoError"}),
        ("okx", {"cancelSource": ""}),
        ("gate", {"finish_as": ""}),
    ],
)
async def test_where_the_venue_names_nobody_nobody_is_named(venue: str, words: dict[str, Any]) -> None:
    order = await ended(venue, words)
    assert (order.status, order.closed_by, order.close_reason) == (OrderStatus.CANCELED, None, None)


@pytest.mark.parametrize("venue", ["binance", "bitget", "bybit", "gate", "okx"])
async def test_an_open_order_was_ended_by_nobody(venue: str) -> None:
    alive: dict[str, dict[str, Any]] = {
        "binance": {"x": "NEW", "X": "NEW", "er": "0"},
        "bitget": {"status": "live", "cancelReason": ""},
        "bybit": {"orderStatus": "New"},
        "gate": {"status": "open", "finish_as": ""},
        "okx": {"state": "live", "cancelSource": ""},
    }
    order = await ended(venue, alive[venue])
    assert (order.status, order.closed_by, order.close_reason) == (OrderStatus.OPEN, None, None)


async def test_bybit_rejected_order_was_ended_by_the_venue() -> None:
    order = await ended("bybit", {"orderStatus": "Rejected", "rejectReason": "EC_PostOnlyWillTakeLiquidity"})
    assert (order.status, order.closed_by, order.close_reason) == (OrderStatus.REJECTED, VENUE, CloseReason.POST_ONLY)


async def test_a_report_without_the_cause_hides_none_that_came_before() -> None:
    """Binance's response to a query has no expiry reason."""
    rig = await AccountRig("binance").start()
    (published,) = await rig.feed(frame("binance", {"er": "4", "X": "CANCELED", "x": "CANCELED"}))
    order = published.order
    rig.state.apply_order(replace(order, status=OrderStatus.CANCELED, closed_by=None, close_reason=None))
    known = rig.state.tracker.find(OrderRef(symbol=order.symbol, order_id=order.order_id))
    assert known is not None
    assert (known.closed_by, known.close_reason) == (VENUE, CloseReason.REDUCE_ONLY)
